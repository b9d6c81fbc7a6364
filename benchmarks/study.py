"""What a study is: its grid of runs, and how their records become a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.markup import Grid
from benchmarks.report.score_table import Layout
from benchmarks.runs.run_folder import Columns

if TYPE_CHECKING:
    from benchmarks.report.score_records import Records

    # Torch comes with it, which commands that only read records do without.
    from ossnet.training.profile import Profile
    from ossnet.training.validation import Validation

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Point:
    """One run of a grid.

    Attributes:
        columns: what tells it apart in the study's table, besides the model.
        overrides: settings laid over the profile's, as `Profile.spec` takes them.
        extraction: None for the model's own.
        max_locations: locations per pass of the extraction.
        split: whose cases are scored; None for `test`, or `validation` where there are no others.
        protocols: sampled ones to score by besides; None for those of the paper and its code.
    """

    model: str
    seed: int
    columns: Columns = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    extraction: str | None = None
    max_locations: int = 2**14
    split: Split | None = None
    protocols: "tuple[Validation, ...] | None" = None


@dataclass(frozen=True)
class Study:
    """A study: one file of this folder, and one line in `benchmarks.studies.registry`. It is named as its table is.

    Attributes:
        measures: what each of its runs does, a name of `benchmarks.scoring.registry`.
        grid: its runs with a profile, in the order of its table.
        layout: how the table is laid out.
        appendix: further tables below it, from the study's records, the results folder, and that of the reference if it
            is to be shown.
    """

    measures: str
    grid: Callable[["Profile"], Sequence[Point]]
    layout: Layout
    appendix: Callable[[Sequence["Records"], Path, Path | None], Sequence[Grid]] = lambda *_: ()

    @property
    def name(self) -> str:
        return self.layout.table
