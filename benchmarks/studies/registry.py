"""Every study of the suite: one file each, and one line here."""

from collections.abc import Sequence

from benchmarks.studies.figure4 import FIGURE4
from benchmarks.studies.figure5 import FIGURE5
from benchmarks.studies.figure6 import FIGURE6
from benchmarks.studies.inference import INFERENCE
from benchmarks.studies.scaling import SCALING
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2
from benchmarks.studies.table3 import TABLE3
from benchmarks.studies.whole import WHOLE
from benchmarks.study import Study
from ossnet.errors import UserError

STUDIES: dict[str, Study] = {
    study.name: study for study in (TABLE1, TABLE2, INFERENCE, FIGURE4, TABLE3, FIGURE5, FIGURE6, SCALING, WHOLE)
}
"""In the order in which they are made: those of which the first minutes of a machine tell most come first."""


def find_studies(names: Sequence[str]) -> list[Study]:
    """Return studies by name in the order of the registry, all of them for no name.

    Raises:
        UserError: a name is unknown.
    """
    unknown = [name for name in names if name not in STUDIES]
    if unknown:
        raise UserError(f"unknown study {unknown[0]!r}; choose from {', '.join(STUDIES)}")
    return [study for name, study in STUDIES.items() if name in names or not names]
