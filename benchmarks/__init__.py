"""Studies of occupancy networks and their baselines: runs, probes, tables and claims. `README.md` has an overview."""
