"""What a figure of the suite is: which pictures its records make, and when these are drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.names import REFERENCE
from paper_figures import style


@dataclass(frozen=True)
class Picture:
    """One picture of a figure.

    Attributes:
        name: of its files, without an ending.
        draw: draws it, to be saved with `paper_figures.style.save`.
        sources: the files that it is drawn from, if any.
    """

    name: str
    draw: Callable[[], Figure]
    sources: Sequence[Path] = ()

    def save(self, stem: Path) -> bool:
        """Write `stem`.pdf and `stem`.png, unless the picture there is as new as its sources; whether it was drawn.

        Raises:
            UserError: a source cannot be drawn, or a file cannot be written.
        """
        # The PNG is written last.
        png = Path(f"{stem}.png")
        if png.exists() and all(source.stat().st_mtime <= png.stat().st_mtime for source in self.sources):
            return False
        style.save(self.draw(), stem)
        return True


@dataclass(frozen=True)
class RecordFiles:
    """The files `STUDY-...` with an ending that a study leaves in a folder of records.

    Attributes:
        folder: of a results folder.
        command: that makes them; None for that of the study.
    """

    study: str
    ending: str
    folder: str = "records"
    command: str | None = None

    @property
    def origin(self) -> str:
        """The command that makes them."""
        return self.command or f"python -m benchmarks run {self.study}"

    def find(self, folder: Path) -> list[Path]:
        return sorted(folder.glob(f"{self.study}-*{self.ending}"))


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the suite: one file of this folder, and one line in `paper_figures.registry`.

    Attributes:
        name: how the command line calls it.
        pictures: those that can be drawn from a folder of records; none where it holds no scores.
        records: what it is drawn from; None where it needs no records.
    """

    name: str
    pictures: Callable[[Path], Sequence[Picture]]
    records: RecordFiles | None = None

    def draw(self, results: Path) -> list[str]:
        """Draw its pictures into `results/figures`, those that are missing or older than their records.

        Where `results` has none of its records, it is drawn from the committed reference, under names that end in
        `-reference`.

        Returns:
            A line for people for each picture, drawn or up to date; none where there is nothing to draw.

        Raises:
            UserError: a file cannot be read or written.
        """
        kind = self.records.folder if self.records else "records"
        folder, suffix, remark = results / kind, "", ""
        if self.records and not self.records.find(folder) and self.records.find(REFERENCE / kind):
            folder, suffix, remark = REFERENCE / kind, "-reference", ", from the committed reference"
        lines = []
        for picture in self.pictures(folder):
            stem = results / "figures" / f"{picture.name}{suffix}"
            done = "drawn" if picture.save(stem) else "up to date"
            lines.append(f"{stem}.png: {done}{remark}")
        return lines
