"""Benchmarks of single operations with pytest-benchmark, apart from the tests: `make bench`, `make bench-compare`."""
