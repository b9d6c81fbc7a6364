"""Studies that users define in TOML files, which all commands treat like those of the suite.

- `schema`: contents of such a file;
- `definition`: the study that a file defines, with its points, table and baseline;
- `stored`: copies of the files in a results folder, by which later commands find the studies.

The modules import no torch until a study's points are asked for.
"""
