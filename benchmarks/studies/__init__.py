"""Studies: the paper's tables and figures, and what this suite adds to them.

In reading order:

- `registry`: all studies, and how to add one;
- `table1`, `table2`: segmentation performance by sampling strategy and by model;
- `inference`: improved inference of Section 3.3, by each interpretation of the paper;
- `adaptive`: our adaptive extraction in comparison with the octree;
- `figure4`: stages of one extraction;
- `table3`: memory of every model, with its tables in `memory_table` and `unet_table`;
- `figure5`: runtime of a segmentation against the locations per pass;
- `figure6`: memory of one pass against its number of locations;
- `scaling`: memory and time against the volume's resolution;
- `whole`: segmentation of a whole volume of LiTS;
- `successors`: predicted memory of later models, in tables of `table3` and `scaling`;
- `league`: every model under the same budget, with the study `tuning`; `league_points` and `league_tables`;
- `custom`: studies that users define in TOML files.
"""
