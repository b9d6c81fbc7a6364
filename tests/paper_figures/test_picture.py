"""Which records pictures are drawn from, and when."""

import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ossnet.errors import UserError
from paper_figures.picture import PaperFigure, Picture, RecordFiles, figure_by_file, figure_by_profile


def small() -> Figure:
    return Figure(figsize=(0.1, 0.1))


def figure_of(folders: list[Path]) -> PaperFigure:
    """A figure with a picture per record that notes the folders from which it is drawn."""
    records = RecordFiles("table2", ".npz")

    def pictures(folder: Path, _reference: Path | None) -> list[Picture]:
        folders.append(folder)
        return [Picture(path.stem, small, [path]) for path in records.find(folder)]

    return PaperFigure("own", pictures, records)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A results folder and one in the place of the committed reference, both without records."""
    results, reference = tmp_path / "results", tmp_path / "reference"
    for folder in (results, reference):
        (folder / "records").mkdir(parents=True)
    return results, reference


def age(path: Path, time: float) -> None:
    os.utime(path, (time, time))


def test_a_picture_is_drawn_where_it_is_missing_or_older_than_a_source(tmp_path: Path) -> None:
    drawings: list[Figure] = []

    def draw() -> Figure:
        drawings.append(small())
        return drawings[-1]

    sources = [tmp_path / "first", tmp_path / "second"]
    for source in sources:
        source.touch()
        age(source, 100)
    drawn = Picture("own", draw, sources)
    stem = tmp_path / "own-1.5"
    assert drawn.save(stem)
    assert {path.name for path in tmp_path.glob("own-1.5.*")} == {"own-1.5.json", "own-1.5.pdf", "own-1.5.png"}
    assert not drawn.save(stem)
    age(tmp_path / "own-1.5.png", 100)
    assert not drawn.save(stem)
    age(sources[1], 101)
    assert drawn.save(stem)
    assert len(drawings) == 2
    (tmp_path / "own-1.5.json").unlink()
    assert drawn.save(stem)


def test_the_picture_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(figure: Figure, stem: Path) -> None:
        assert Path(f"{stem}.json").read_text(encoding="utf-8") == '{"texts": [], "axes": [\n\n]}\n'
        raise UserError("the disk is full")

    monkeypatch.setattr("paper_figures.style.save", fail)
    own = Picture("own", small)
    with pytest.raises(UserError, match="the disk is full"):
        own.save(tmp_path / "own")
    monkeypatch.undo()
    assert own.save(tmp_path / "own")


def test_own_records_come_before_the_reference(folders: tuple[Path, Path]) -> None:
    results, reference = folders
    (results / "records" / "table2-glioma-laptop.npz").touch()
    (reference / "records" / "table2-liver-laptop.npz").touch()
    drawn: list[Path] = []
    assert figure_of(drawn).draw(results, reference) == [f"{results}/figures/table2-glioma-laptop.png: drawn"]
    assert drawn == [results / "records"]


def test_the_reference_is_named_where_it_is_drawn(folders: tuple[Path, Path]) -> None:
    results, reference = folders
    # Records of another study, and of another kind, are none.
    (results / "records" / "table1-glioma-laptop.npz").touch()
    (results / "records" / "table2-glioma-laptop.jsonl").touch()
    assert figure_of([]).draw(results, reference) == figure_of([]).draw(results, None) == []
    assert not (results / "figures").exists()
    (reference / "records" / "table2-glioma-laptop.npz").touch()
    stem = f"{results}/figures/table2-glioma-laptop-reference"
    for state in ("drawn", "up to date"):
        lines = figure_of([]).draw(results, reference)
        assert lines == [f"{stem}.png: {state}, from the committed reference"]


def test_records_may_be_in_another_folder_and_made_by_another_command(folders: tuple[Path, Path]) -> None:
    results, _ = folders
    records = RecordFiles("figure6", ".jsonl", "efficiency")
    found: list[Path] = []

    def pictures(folder: Path, _reference: Path | None) -> list[Picture]:
        found.append(folder)
        return []

    PaperFigure("own", pictures, records).draw(results, None)
    assert found == [results / "efficiency"]
    assert records.origin == "python -m benchmarks run figure6"


def test_a_profile_has_a_picture_of_all_files(tmp_path: Path) -> None:
    files = [tmp_path / f"table2-{data}-laptop.jsonl" for data in ("glioma", "liver")]
    for path in files:
        path.touch()
    contents: list[str] = []

    def draw(content: str) -> Figure:
        contents.append(content)
        return Figure()

    own = figure_by_profile("own", "table2", lambda folder: {"laptop": f"read from {folder}"}, draw)
    (picture,) = own.pictures(tmp_path, None)
    picture.draw()
    assert (picture.name, picture.sources, contents) == ("own-laptop", files, [f"read from {tmp_path}"])


def test_a_file_has_a_picture_if_it_is_drawable(tmp_path: Path) -> None:
    for text in ("good", "bad"):
        (tmp_path / f"table2-{text}.npz").write_text(text)
    drawn: list[str] = []

    def draw(text: str) -> Figure:
        drawn.append(text)
        return Figure()

    records = RecordFiles("table2", ".npz")
    every = figure_by_file("own", records, Path.read_text, draw)
    assert [picture.name for picture in every.pictures(tmp_path, None)] == ["own-bad", "own-good"]
    (picture,) = figure_by_file("own", records, Path.read_text, draw, "good".__eq__).pictures(tmp_path, None)
    picture.draw()
    assert (picture.name, picture.sources, drawn) == ("own-good", [tmp_path / "table2-good.npz"], ["good"])
