"""Every study of memory and time: one file each, and one line here."""

from benchmarks.efficiency.figure5 import FIGURE5
from benchmarks.efficiency.figure6 import FIGURE6
from benchmarks.efficiency.scaling import SCALING
from benchmarks.efficiency.study import EfficiencyStudy
from benchmarks.efficiency.table3 import TABLE3
from benchmarks.efficiency.whole import WHOLE

__all__ = ["EFFICIENCY_STUDIES", "EfficiencyStudy"]

EFFICIENCY_STUDIES: dict[str, EfficiencyStudy] = {
    study.name: study for study in (TABLE3, FIGURE5, FIGURE6, SCALING, WHOLE)
}
