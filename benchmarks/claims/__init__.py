"""The paper's checkable claims and their verdicts.

In reading order:

* `schema`: claims as data, read from `results/published/claims.toml`.
* `measures`: numbers selected for a claim, and values, differences, ratios and spreads with intervals.
* `evidence`: records of memory and runtime as such numbers.
* `sides`: our records, the paper's tables and predictions, by which claims are judged.
* `outcomes`: the comparisons of a claim and the outcome of each.
* `wording`: numbers, intervals and limits as text.
* `judge`: the verdict on every claim, as a data frame.
* `report`: the verdicts as Markdown, CSV, LaTeX and on the terminal.
"""
