"""Registry of all studies.

To add a study:

1. Write a file `benchmarks/studies/NAME.py` that defines one `Study`; `benchmarks.study` has examples.
2. Import it here and add it to `STUDIES`, at its place in the order of running.

All commands then take it, and `tests/benchmarks/studies/test_registry.py` checks it. Where the paper has numbers for
its table of scores, they are in `results/published/NAME.csv`, and claims about them in `results/published/claims.toml`.
A figure is one file and one line of `paper_figures`.
"""

from collections.abc import Sequence

from benchmarks.studies.adaptive import ADAPTIVE
from benchmarks.studies.figure4 import FIGURE4
from benchmarks.studies.figure5 import FIGURE5
from benchmarks.studies.figure6 import FIGURE6
from benchmarks.studies.inference import INFERENCE
from benchmarks.studies.league import LEAGUE, TUNING
from benchmarks.studies.scaling import SCALING
from benchmarks.studies.speed import SPEED
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2
from benchmarks.studies.table3 import TABLE3
from benchmarks.studies.whole import WHOLE
from benchmarks.study import Study
from ossnet.errors import UserError

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        *(TABLE3, TABLE2, INFERENCE, TABLE1, ADAPTIVE, FIGURE4, FIGURE5, FIGURE6, SCALING, WHOLE, SPEED),
        *(TUNING, LEAGUE),
    )
}
"""Studies by name, in the order in which they run: those whose first minutes on a machine reveal most come first.

Table 3 is predicted in a minute, and Table 2 compares the models.
"""


def find_studies(names: Sequence[str]) -> list[Study]:
    """Return the studies with these names, or all studies if there are no names, in the order of the registry.

    Raises:
        UserError: a name is unknown.
    """
    unknown = [name for name in names if name not in STUDIES]
    if unknown:
        raise UserError(f"unknown study {unknown[0]!r}; choose from {', '.join(STUDIES)}")
    return [study for name, study in STUDIES.items() if name in names or not names]
