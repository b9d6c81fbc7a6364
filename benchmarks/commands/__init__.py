"""Commands: the work of each command of `python -m benchmarks`, and of `python -m benchmarks.commands.gpu`.

In reading order:

- `request`: options of `run`;
- `run`: missing points and probes of studies, then their tables;
- `points`: training and scoring of the points;
- `probes`: predictions and measurements of the probes;
- `collect`: tables from records;
- `status`: progress of studies;
- `claims`: judgement of the paper's claims;
- `verify`: origin of a printed number, and one of its trainings repeated;
- `reproduce`: Table 2 from released weights;
- `transfer`: models of one data set, applied to the cases of another;
- `gpu`: all measurements on a GPU, with few packages.
"""
