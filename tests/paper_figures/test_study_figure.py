"""The figure of a user's study."""

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.studies.registry import find_studies
from ossnet.errors import UserError
from paper_figures.__main__ import draw_figures
from paper_figures.registry import FIGURES, find_figures

GRIDS = {
    "rows": "",
    "curve": "[grid]\nrecipe.epochs = [1, 2]\n",
    "map": "[grid]\nrecipe.epochs = [1, 2]\nnetwork.patch_size = [3]\n",
    "larger": "[grid]\nrecipe.epochs = [1, 2]\nnetwork.patch_size = [3]\nmax_locations = [8]\n",
}
COLUMNS = {"recipe.epochs": 2, "network.patch_size": 3, "max_locations": 8}
AXES_OF = {"rows": 0, "curve": 1, "map": 2, "larger": 3}


def write_file(folder: Path, name: str) -> Path:
    path = folder / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'name = "{name}"\nmodels = ["c", "d"]\nquantities = ["dice"]\n{GRIDS[name]}', encoding="utf-8")
    return path


@pytest.mark.parametrize("name", GRIDS)
def test_a_study_is_drawn_as_its_grid_asks(name: str, tmp_path: Path, write_records: Any) -> None:
    write_file(tmp_path / "studies", name)
    columns = dict(list(COLUMNS.items())[: AXES_OF[name]])
    values = [columns | {"recipe.epochs": epochs} for epochs in (1, 2)] if columns else [columns]
    write_records(tmp_path, name, [(model, 0, of, dice) for model, dice in (("c", 0.5), ("d", 0.7)) for of in values])
    (figure,) = find_figures([name], tmp_path)
    (picture,) = figure.pictures(tmp_path, None)
    drawn = picture.draw()
    assert drawn.get_suptitle() == find_studies([name], tmp_path)[0].layout.title
    axes = drawn.axes
    # Rows are drawn as differences, under the name of the quantity.
    assert axes[0].get_title() == ("Dice ↑" if name in ("rows", "larger") else "")
    # Two models have a map each, with its bar.
    assert len(axes) == (4 if name == "map" else 1)


def test_the_figure_is_drawn_again_after_a_change_of_the_file(tmp_path: Path, write_records: Any) -> None:
    path = write_file(tmp_path, "rows")
    write_records(tmp_path / "records", "rows", [("c", 0, {}, 0.5), ("d", 0, {}, 0.7)])
    (figure,) = find_figures([str(path)])
    stem = tmp_path / "figures" / "rows-laptop"
    for time_s, state in ((0, "drawn"), (0, "up to date"), (2**32, "drawn")):
        os.utime(path, (time_s, time_s))
        assert figure.draw(tmp_path, None) == [f"{stem}.png: {state}"]


def test_all_figures_include_those_of_the_results_folder(tmp_path: Path) -> None:
    write_file(tmp_path / "studies", "rows")
    assert [figure.name for figure in find_figures([], tmp_path)] == [*FIGURES, "rows"]
    with pytest.raises(UserError, match="rows"):
        find_figures(["columns"], tmp_path)


@pytest.mark.parametrize(
    ("name", "quantity", "columns"),
    [
        *(
            (name, "false_positive_volume", dict(list(COLUMNS.items())[: AXES_OF[name]]))
            for name in ("curve", "map", "larger")
        ),
        *((name, "dice", {"recipe.batch_size": 1}) for name in ("rows", "curve", "map", "larger")),
    ],
)
def test_nothing_is_drawn_without_a_quantity_of_the_study_or_from_other_columns(
    name: str, quantity: str, columns: dict[str, int], tmp_path: Path, write_records: Any
) -> None:
    path = write_file(tmp_path, name)
    path.write_text(path.read_text(encoding="utf-8").replace("dice", quantity), encoding="utf-8")
    write_records(tmp_path / "records", name, [("c", 0, columns, 0.5), ("d", 0, columns, "OOM")])
    with pytest.raises(UserError, match="nothing to draw"):
        draw_figures([str(path)], tmp_path, reference=None)
