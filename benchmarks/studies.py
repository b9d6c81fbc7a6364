"""Every study of the suite: one file each, and one line here."""

from benchmarks.study import Study
from benchmarks.table1 import TABLE1
from benchmarks.table2 import TABLE2
from ossnet.errors import UserError

STUDIES: dict[str, Study] = {study.name: study for study in (TABLE1, TABLE2)}


def find_studies(names: list[str]) -> list[Study]:
    """Studies by name, all of them for no name.

    Raises:
        UserError: an unknown name.
    """
    unknown = [name for name in names if name not in STUDIES]
    if unknown:
        raise UserError(f"unknown study {unknown[0]!r}; choose from {', '.join(STUDIES)}")
    return [STUDIES[name] for name in names or STUDIES]
