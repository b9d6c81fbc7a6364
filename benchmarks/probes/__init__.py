"""Probes of memory and runtime: their predictions, measurements and records.

In reading order:

- `published`: probes of the numbers in the paper's Table 3;
- `limits`: probes of commands on full-size cases, and the limits that their costs must keep;
- `records`: records of answered probes, and their files;
- `json_types`: checks of the types in these files;
- `answers`: records of a study by machine, from a results folder and the reference;
- `ledger`: answered and missing probes of a study on one machine;
- `machine`: machines that answer probes;
- `runner`: prediction or measurement of what is missing;
- `predictions`: predictions, in worker processes where there are many;
- `prober`: measurement in worker processes;
- `measure`: prediction and measurement of a single probe;
- `extraction_stages`: runtime of a whole segmentation by stage;
- `phantom`: volume of closed form that is segmented;
- `comparison`: runtimes of the same work done in several ways;
- `command_costs`: time and memory of a command of `ossnet`;
- `stored_cases`: cases in the files and folders of the paper's data sets, which the command reads;
- `released_layers`, `released_memory`: what the released code computes, and its memory, which the paper's Table 3 has;
- `unet_variants`: variants of the paper's U-Nets.
"""
