"""Figures drawn again from the committed reference show the data that they showed when the reference was made."""

import json
from collections.abc import Sequence
from functools import cache

import pytest

from benchmarks.names import REFERENCE
from paper_figures.picture import Picture
from paper_figures.plotted import plotted_data, to_json
from paper_figures.registry import FIGURES

FROM_RECORDS = [figure.name for figure in FIGURES.values() if figure.records]
"""`cases` is the only other figure; making its cases takes too long for a test."""


@cache
def pictures_of(name: str) -> Sequence[Picture]:
    records = FIGURES[name].records
    assert records is not None
    return FIGURES[name].pictures(REFERENCE / records.folder, REFERENCE)


@pytest.mark.parametrize("name", FROM_RECORDS)
def test_the_data_are_those_of_the_reference(name: str) -> None:
    if not pictures_of(name):
        pytest.skip(f"the reference has nothing to draw for {name}")
    missing = []
    for picture in pictures_of(name):
        drawn = json.loads(to_json(plotted_data(picture.draw())))
        path = REFERENCE / "figures" / f"{picture.name}.json"
        if path.exists():
            assert drawn == json.loads(path.read_text(encoding="utf-8")), picture.name
        else:
            missing.append(path.name)
    if missing:
        pytest.skip(f"the reference has no {', '.join(missing)}; `make reference` writes them")


def test_every_figure_of_the_reference_can_be_drawn() -> None:
    stored = {path.stem for path in (REFERENCE / "figures").glob("*.json")}
    assert stored <= {"cases", *(picture.name for name in FROM_RECORDS for picture in pictures_of(name))}
