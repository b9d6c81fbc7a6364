"""Registry of all studies.

To add a study:

1. Write a file `benchmarks/studies/NAME.py` that defines one `Study`; `benchmarks.study` has examples.
2. Import it here and add it to `STUDIES`, at its place in the order of running.

All commands then take it, and `tests/benchmarks/studies/test_registry.py` checks it. Where the paper has numbers for
its table of scores, they are in `results/published/NAME.csv`, and claims about them in `results/published/claims.toml`.
A figure is one file and one line of `paper_figures`.

A study of one's own needs no code: it is a TOML file, see `benchmarks.studies.custom`.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.studies.ablations import ABLATIONS
from benchmarks.studies.adaptive import ADAPTIVE
from benchmarks.studies.additions import ADDITIONS
from benchmarks.studies.borders import BORDERS
from benchmarks.studies.confidence import CONFIDENCE
from benchmarks.studies.figure4 import FIGURE4
from benchmarks.studies.figure5 import FIGURE5
from benchmarks.studies.figure6 import FIGURE6
from benchmarks.studies.fullsize import FULLSIZE
from benchmarks.studies.inference import INFERENCE
from benchmarks.studies.league import LEAGUE, TUNING
from benchmarks.studies.locations import LOCATIONS_PER_PASS
from benchmarks.studies.scaling import SCALING
from benchmarks.studies.sizes import SIZES
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
        *(TABLE3, TABLE2, INFERENCE, TABLE1, ADAPTIVE, FIGURE4, FIGURE5, FIGURE6, SCALING, WHOLE, SPEED, FULLSIZE),
        *(ABLATIONS, ADDITIONS, SIZES, BORDERS, CONFIDENCE, LOCATIONS_PER_PASS),
        *(TUNING, LEAGUE),
    )
}
"""Studies by name, in the order in which they run: those whose first minutes on a machine reveal most come first.

Table 3 is predicted in a minute, and Table 2 compares the models.
"""


def find_studies(names: Sequence[str], results: Path | None = None) -> list[Study]:
    """Return the studies with these names, or all studies if there are no names, in the order of the registry.

    Studies that users define follow those of the suite.

    Args:
        names: names of studies, or paths of TOML files that define one.
        results: results folder, whose `studies` define further ones; None for those of the suite alone.

    Raises:
        UserError: a name is unknown, or a file defines no study.
    """
    known, wanted = dict(STUDIES), list(names)
    files = [name for name in names if name.lower().endswith(".toml")]
    # A broken file does not matter to the studies of the suite.
    in_suite = bool(names) and all(name in STUDIES for name in names)
    if files or (not in_suite and results is not None and (results / "studies").is_dir()):
        # A machine that only measures does without pydantic, which checks these files.
        from benchmarks.studies.custom.definition import read_study
        from benchmarks.studies.custom.stored import stored_studies

        given = [read_study(Path(file)) for file in files]
        by_name = {study.name: study for study in given}
        for study in given:
            other = by_name[study.name].file
            if study.file != other:
                raise UserError(f"{study.file} and {other} are both named {study.name}; give one of them another name")
        stored = stored_studies(results) if results is not None else {}
        for study in (*stored.values(), *given):
            if study.name in STUDIES:
                raise UserError(f"{study.file}: {study.name} is the name of a study of the suite; choose another")
            known[study.name] = study
        wanted = [name for name in names if name not in files] + [study.name for study in given]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(
            f"unknown study {unknown[0]!r}; choose from {', '.join(known)}, or give the path of a .toml file"
        )
    return [study for name, study in known.items() if name in wanted or not wanted]
