"""Every study of memory and time: one file each, and one line here."""

from benchmarks.studies.figure5 import FIGURE5
from benchmarks.studies.figure6 import FIGURE6
from benchmarks.studies.scaling import SCALING
from benchmarks.studies.table3 import TABLE3
from benchmarks.studies.whole import WHOLE
from benchmarks.study import EfficiencyStudy

__all__ = ["EFFICIENCY_STUDIES", "EfficiencyStudy"]

EFFICIENCY_STUDIES: dict[str, EfficiencyStudy] = {
    study.name: study for study in (TABLE3, FIGURE5, FIGURE6, SCALING, WHOLE)
}
