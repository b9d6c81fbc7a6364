"""Scoring case by case, with the progress, and the scores from which an interrupted evaluation continues."""

import json
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ossnet.config import digest
from ossnet.data.case import Case, Dataset
from ossnet.errors import UserError
from ossnet.files import remove_abandoned, unreadable, write_text
from ossnet.progress import ProgressLine

VERSION = 1
"""Version of the kept scores, to be increased whenever a model would have other scores by the same settings."""


class KeptScores:
    """Scores of the cases that are done, in a file beside the table of all scores until that is written.

    The file is `TABLE.DIGEST.unfinished`, and other settings have another one. The scores of a case are found again if
    it has the same name, by which sampled protocols draw its locations, and the same image and label.

    Args:
        table: path of the table of all scores.
        settings: plain values of all that scores depend on but the cases, the weights included.
        dataset: data set of the cases.

    Raises:
        UserError: there is such a file, but it cannot be read or is damaged.
    """

    def __init__(self, table: Path, settings: Any, dataset: Dataset) -> None:
        self.path = table.with_name(f"{table.name}.{digest([VERSION, settings])[:12]}.unfinished")
        self.dataset = dataset
        self._rows: dict[str, list[dict[Hashable, Any]]] = {}
        try:
            self._rows.update(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError) as error:
            damaged = f"{self.path} is damaged; delete it, and all cases are scored anew"
            raise unreadable(self.path, error, damaged) from error

    def get(self, case: str) -> pd.DataFrame | None:
        """Return the scores of a case; None if it has none yet."""
        rows = self._rows.get(self._key(case))
        return None if rows is None else pd.DataFrame(rows)

    def keep(self, case: str, scores: pd.DataFrame) -> None:
        """Keep the scores of a case.

        Raises:
            UserError: the file cannot be written.
        """
        self._rows[self._key(case)] = scores.to_dict("records")
        # JSON, unlike CSV, keeps types and every digit.
        write_text(self.path, json.dumps(self._rows))

    def remove(self) -> None:
        """Remove the file, after the table of all scores has been written."""
        self.path.unlink(missing_ok=True)
        remove_abandoned(self.path)

    def _key(self, case: str) -> str:
        return digest([case, self.dataset.content(case)])


def score_cases(
    dataset: Dataset,
    split: str,
    score: Callable[[Case], pd.DataFrame],
    work: str,
    kept: KeptScores | None = None,
) -> pd.DataFrame:
    """Score each case of a split, show the progress, and keep the scores of each case that is done.

    Args:
        dataset: data set of the cases.
        split: split of the cases.
        score: function that returns the scores of a case.
        work: description of the work for the progress, with `{}` for the number of cases.
        kept: scores that are kept, which are taken from there; None to keep none.

    Raises:
        UserError: the split has no case, a case cannot be loaded, or the scores cannot be kept.
    """
    names = dataset.splits[split]
    if not names:
        raise UserError(f"data set {dataset.name} has no case in split {split}; choose another with --split")
    found = {} if kept is None else {name: rows for name in names if (rows := kept.get(name)) is not None}
    label = work.format(len(names)) + (f", {len(found)} of them done before" if found else "")
    missing = [name for name in names if name not in found]
    with ProgressLine(label, len(missing)) as line:
        for done, name in enumerate(missing, start=1):
            found[name] = score(dataset.load(name))
            if kept is not None:
                kept.keep(name, found[name])
            line.update(done, name)
    return pd.concat([found[name] for name in names], ignore_index=True)


def not_kept(names: Sequence[str], kept: Sequence[KeptScores]) -> list[str]:
    """Return the names of cases that lack some of the scores."""
    return [name for name in names if any(scores.get(name) is None for scores in kept)]
