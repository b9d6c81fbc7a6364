"""Every study of the suite: one file each, and one line here."""

from benchmarks.inference import INFERENCE
from benchmarks.study import Study
from benchmarks.table1 import TABLE1
from benchmarks.table2 import TABLE2

STUDIES: dict[str, Study] = {study.name: study for study in (TABLE1, TABLE2, INFERENCE)}
