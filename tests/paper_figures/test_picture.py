"""When pictures are drawn, and from which records."""

import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from paper_figures import picture
from paper_figures.picture import PaperFigure, Picture, RecordFiles


def figure_of(folders: list[Path]) -> PaperFigure:
    """A figure with a picture a record that notes from which folders it is asked for."""
    records = RecordFiles("table2", ".npz")

    def pictures(folder: Path) -> list[Picture]:
        folders.append(folder)
        return [Picture(path.stem, Figure, [path]) for path in records.find(folder)]

    return PaperFigure("own", pictures, records)


@pytest.fixture
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the committed reference's records."""
    monkeypatch.setattr(picture, "REFERENCE", tmp_path / "reference")
    folder = tmp_path / "reference" / "records"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results" / "records").mkdir(parents=True)
    return tmp_path / "results"


def age(path: Path, time: float) -> None:
    os.utime(path, (time, time))


def test_a_picture_is_drawn_where_it_is_missing_or_older_than_a_source(tmp_path: Path) -> None:
    drawings: list[Figure] = []

    def draw() -> Figure:
        drawings.append(Figure())
        return drawings[-1]

    sources = [tmp_path / "first", tmp_path / "second"]
    for source in sources:
        source.touch()
        age(source, 100)
    drawn = Picture("own", draw, sources)
    stem = tmp_path / "own-1.5"
    assert drawn.save(stem)
    assert (tmp_path / "own-1.5.pdf").exists()
    assert not drawn.save(stem)
    age(tmp_path / "own-1.5.png", 100)
    assert not drawn.save(stem)
    age(sources[1], 101)
    assert drawn.save(stem)
    assert len(drawings) == 2


def test_a_picture_without_sources_is_drawn_once(tmp_path: Path) -> None:
    own = PaperFigure("own", lambda _: [Picture("own", Figure)])
    line = f"{tmp_path / 'figures' / 'own.png'}"
    assert own.draw(tmp_path) == [f"{line}: drawn"]
    assert own.draw(tmp_path) == [f"{line}: up to date"]


def test_own_records_come_before_the_reference(results: Path, reference: Path) -> None:
    (results / "records" / "table2-glioma-laptop.npz").touch()
    (reference / "table2-liver-laptop.npz").touch()
    folders: list[Path] = []
    assert figure_of(folders).draw(results) == [f"{results}/figures/table2-glioma-laptop.png: drawn"]
    assert folders == [results / "records"]


def test_the_reference_is_named_where_it_is_drawn(results: Path, reference: Path) -> None:
    # Records of another study, and of another kind, are none.
    (results / "records" / "table1-glioma-laptop.npz").touch()
    (results / "records" / "table2-glioma-laptop.jsonl").touch()
    (reference / "table2-glioma-laptop.npz").touch()
    figure = figure_of([])
    stem = f"{results}/figures/table2-glioma-laptop-reference"
    assert figure.draw(results) == [f"{stem}.png: drawn, from the committed reference"]
    assert figure.draw(results) == [f"{stem}.png: up to date, from the committed reference"]


def test_records_may_be_in_another_folder_and_made_by_another_command(results: Path) -> None:
    (results / "efficiency").mkdir()
    (results / "efficiency" / "figure6-cpu.jsonl").touch()
    records = RecordFiles("figure6", ".jsonl", "efficiency")
    folders: list[Path] = []

    def pictures(folder: Path) -> list[Picture]:
        folders.append(folder)
        return []

    PaperFigure("own", pictures, records).draw(results)
    assert folders == [results / "efficiency"]
    assert records.origin == "python -m benchmarks run figure6"
    assert RecordFiles("figure4", ".npz", command="python -m own").origin == "python -m own"


def test_without_any_records_nothing_is_drawn(results: Path, reference: Path) -> None:
    assert figure_of([]).draw(results) == []
    assert not (results / "figures").exists()
