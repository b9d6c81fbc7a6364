"""The figures of the suite: the pictures that records are drawn as, and when these are drawn again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from matplotlib.figure import Figure

from benchmarks.names import REFERENCE
from ossnet.files import write_text
from paper_figures import style
from paper_figures.plotted import plotted_data, to_json

Content = TypeVar("Content")


@dataclass(frozen=True)
class Picture:
    """One picture of a figure.

    Attributes:
        name: name of its files, without an ending.
        draw: function that draws it.
        sources: files that it is drawn from, if any.
    """

    name: str
    draw: Callable[[], Figure]
    sources: Sequence[Path] = ()

    def save(self, stem: Path) -> bool:
        """Write `stem`.json (see `paper_figures.plotted`), .pdf and .png, unless they are as new as the sources.

        Returns:
            Whether the picture was drawn.

        Raises:
            UserError: a source cannot be drawn, or a file cannot be written.
        """
        data, pdf, png = (Path(f"{stem}{ending}") for ending in (".json", ".pdf", ".png"))
        # The PNG is written last, so that its time is that of the picture.
        if data.exists() and pdf.exists() and png.exists():
            drawn_at = png.stat().st_mtime
            if all(source.stat().st_mtime <= drawn_at for source in self.sources):
                return False
        figure = self.draw()
        write_text(data, to_json(plotted_data(figure)))
        style.save(figure, stem)
        return True


@dataclass(frozen=True)
class RecordFiles:
    """The files `STUDY-...` with an ending that a study leaves in a results folder.

    Attributes:
        study: name of the study.
        ending: ending of the files.
        folder: folder of the files in a results folder.
        command: command of `python -m benchmarks` that makes the files; empty for the run of the study.
    """

    study: str
    ending: str
    folder: str = "records"
    command: str = ""

    @property
    def origin(self) -> str:
        """The command that makes the files."""
        return f"python -m benchmarks {self.command or f'run {self.study}'}"

    def find(self, folder: Path) -> list[Path]:
        """Return the files in a folder of records, sorted."""
        return sorted(folder.glob(f"{self.study}-*{self.ending}"))


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the suite: one file of this package, and one line in `paper_figures.registry`.

    Attributes:
        name: name on the command line.
        pictures: function of a folder of records, and of the reference's results folder or None, that returns the
            pictures that can be drawn. Only figures of memory and runtime read the reference, for machines that the
            folder has no records of.
        records: files that it is drawn from; None for a figure that needs none.
    """

    name: str
    pictures: Callable[[Path, Path | None], Sequence[Picture]]
    records: RecordFiles | None = None

    def draw(self, results: Path, reference: Path | None = REFERENCE) -> list[str]:
        """Draw the pictures that are missing or older than their records into `results/figures`.

        Where `results` has no records of the figure, it is drawn from the reference, under names that end in
        `-reference`.

        Args:
            results: results folder.
            reference: results folder of the committed reference; None for no reference.

        Returns:
            A message for each picture, drawn or up to date; none where there is nothing to draw.

        Raises:
            UserError: a file cannot be read or written.
        """
        kind = self.records.folder if self.records else "records"
        folder, suffix, remark = results / kind, "", ""
        if self.records and reference and not self.records.find(folder) and self.records.find(reference / kind):
            folder, suffix, remark = reference / kind, "-reference", ", from the committed reference"
        lines = []
        for picture in self.pictures(folder, reference):
            stem = results / "figures" / f"{picture.name}{suffix}"
            done = "drawn" if picture.save(stem) else "up to date"
            lines.append(f"{stem}.png: {done}{remark}")
        return lines


def figure_by_profile(
    name: str,
    study: str,
    read: Callable[[Path], Mapping[str, Content]],
    draw: Callable[[Content], Figure],
    defined_in: Path | None = None,
) -> PaperFigure:
    """Return a figure of a study's scores, with one picture `NAME-PROFILE` per profile.

    Args:
        name: name of the figure.
        study: name of the study.
        read: function that reads what to draw from a folder of records, by profile.
        draw: function that draws it.
        defined_in: file that defines the study, after whose changes it is drawn again; None for one of the suite.
    """
    records = RecordFiles(study, ".jsonl")
    definition = [] if defined_in is None else [defined_in]

    def pictures(folder: Path, _reference: Path | None) -> list[Picture]:
        sources = [*definition, *records.find(folder)]
        return [
            Picture(f"{name}-{profile}", partial(draw, content), sources) for profile, content in read(folder).items()
        ]

    return PaperFigure(name, pictures, records)


def figure_by_file(
    name: str,
    records: RecordFiles,
    load: Callable[[Path], Content],
    draw: Callable[[Content], Figure],
    is_drawable: Callable[[Content], bool] | None = None,
) -> PaperFigure:
    """Return a figure of single cases, with one picture per file of records, named as the file but for the study.

    Args:
        name: name of the figure.
        records: files of the cases.
        load: function that reads a file.
        draw: function that draws what `load` returns.
        is_drawable: whether what `load` returns can be drawn; None where all can.
    """

    def load_and_draw(path: Path) -> Figure:
        return draw(load(path))

    def pictures(folder: Path, _reference: Path | None) -> list[Picture]:
        return [
            Picture(path.stem.replace(records.study, name, 1), partial(load_and_draw, path), [path])
            for path in records.find(folder)
            if is_drawable is None or is_drawable(load(path))
        ]

    return PaperFigure(name, pictures, records)
