"""Every study of the suite: one file each, and one line here."""

from benchmarks.studies.inference import INFERENCE
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2
from benchmarks.study import Study

STUDIES: dict[str, Study] = {study.name: study for study in (TABLE1, TABLE2, INFERENCE)}
