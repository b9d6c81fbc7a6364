"""From records to tables: statistics, notes, Markdown, CSV and LaTeX.

In reading order:

* `score_records`: the records of the runs of a study, and their scores and failures as data frames.
* `intervals`: means over seeds and cases with their variance components and intervals.
* `statistics`: means, spreads and differences of several models from matrices of scores.
* `summary`: the numbers of a table of scores.
* `interval_coverage`: how often intervals cover the truth in simulations, as notes state it.
* `table_notes` and `caveats`: the sentences below a table, on its numbers and on its runs.
* `score_table`: a study's table of scores.
* `comparisons`: the table of differences between its rows.
* `protocol_table`: the table of scores by every protocol.
* `run_costs` and `cost_table`: memory and time of each run, and the table of them.
* `probe_cells` and `probe_tables`: the tables of the studies of memory and runtime.
* `figure_case`: a test case segmented by every model, for a figure.
* `transfer_table`: Dice of the cases of another data set than that of the training.
* `origin`: the records behind a printed number.
* `simulation`: the simulated studies behind `interval_coverage`.
"""
