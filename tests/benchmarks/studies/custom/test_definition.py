"""Studies that files define: their points, tables and baselines."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies.custom.definition import read_study
from benchmarks.studies.registry import find_studies
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2
from benchmarks.study import Study
from ossnet.data.case import Dataset
from ossnet.errors import UserError
from ossnet.training.profile import load_profile

Read = Callable[[str], Study]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read the study `own` of a text that follows its name."""

    def of_text(text: str) -> Study:
        path = tmp_path / "own.toml"
        path.write_text(f'name = "own"\n{text}\n', encoding="utf-8")
        return read_study(path)

    return of_text


def test_a_grid_has_every_combination_and_the_profiles_seeds(read: Read) -> None:
    study = read(
        'models = ["c"]\nbaseline.network.patch_size = 5\nbaseline.network.patches = true\n'
        "[grid.network]\npatches = [true, false]\npatch_size = [3, 5]\n"
        '[settings]\nextraction = "dense"\nrecipe.epochs = 7\n'
    )
    points = study.grid(load_profile("laptop"))
    assert [(*point.columns.values(), point.seed) for point in points[2:4]] == [("yes", 3, 2), ("yes", 5, 0)]
    assert len(points) == 2 * 2 * 3
    overrides = {"network": {"patches": True, "patch_size": 5}, "recipe": {"epochs": 7}}
    assert (points[3].overrides, points[3].extraction, points[3].max_locations) == (overrides, "dense", 2**14)
    layout = study.layout
    assert layout.baseline == ("c", "yes", 5)
    assert layout.axes == ["network.patches", "network.patch_size"]
    assert layout.heads == {
        "model": None,
        "network.patches": "Patches",
        "network.patch_size": "Patch size (voxels)",
    }
    assert "recipe.epochs = 7" in layout.note


def test_table_1_could_be_a_file_and_shares_its_runs_and_those_of_table_2(read: Read, dataset: Dataset) -> None:
    profile = load_profile("laptop")
    study = read(
        'models = ["c"]\n[grid.recipe.sampling]\nstrategy = ["uniform", "border", "confidence"]\n'
        "count = [128, 256, 512]\n"
    )
    specs = [[Segmentation.of(point, profile, dataset) for point in of.grid(profile)] for of in (study, TABLE1, TABLE2)]
    assert specs[0] == specs[1]
    assert sum(spec in specs[2] for spec in specs[0]) == len(profile.seeds)


def test_rows_have_models_and_settings_of_their_own(read: Read) -> None:
    study = read(
        'models = ["c", "d"]\nseeds = [4]\nbaseline = { row = "plain", model = "d" }\n'
        '[[rows]]\nlabel = "plain"\n'
        '[[rows]]\nlabel = "small"\nnetwork.patch_size = 3\nmax_locations = 64\n'
        '[[rows]]\nlabel = "U-Net"\nmodels = ["unet3d"]\n'
    )
    rows = [("c", "plain"), ("d", "plain"), ("c", "small"), ("d", "small"), ("unet3d", "U-Net")]
    assert study.layout.rows == rows
    assert study.layout.label(rows[0]) == ["OSS-Net C", "plain"]
    assert study.layout.baseline == ("d", "plain")
    assert not study.layout.axes
    points = study.grid(load_profile("laptop"))
    assert [(point.model, point.columns["row"]) for point in points] == rows
    assert [point.max_locations for point in points] == [2**14, 2**14, 64, 64, 2**14]
    assert {point.seed for point in points} == {4}


@pytest.mark.parametrize(
    "baseline",
    [
        '"small"',
        '{ row = "small" }',
        "{ network.patch_size = 3, max_locations = 64 }",
        "{ network = { patch_size = 3 } }",
    ],
)
def test_a_listed_row_is_the_baseline_by_its_label_or_its_settings(baseline: str, read: Read) -> None:
    rows = '[[rows]]\nlabel = "plain"\n[[rows]]\nlabel = "small"\nnetwork.patch_size = 3\nmax_locations = 64\n'
    assert read(f'models = ["c"]\nbaseline = {baseline}\n{rows}').layout.baseline == ("c", "small")


def test_labels_alone_tell_rows_apart_where_each_has_one_model(read: Read) -> None:
    study = read('models = ["c"]\n[[rows]]\nlabel = "plain"\n[[rows]]\nlabel = "U-Net"\nmodels = ["unet3d"]\n')
    assert [study.layout.label(row) for row in study.layout.rows] == [["plain"], ["U-Net"]]
    # Without a choice, the first row.
    assert study.layout.baseline == ("c", "plain")


def test_rows_that_score_one_training_are_paired_by_its_seeds(read: Read) -> None:
    study = read(
        'models = ["c"]\nbaseline = "dense"\n[[rows]]\nlabel = "plain"\n[[rows]]\nlabel = "small"\n'
        'network.patch_size = 3\n[[rows]]\nlabel = "dense"\nextraction = "dense"\n'
    )
    layout = study.layout
    assert layout.rows == [("c", "plain", "plain"), ("c", "small", "small"), ("c", "plain", "dense")]
    assert [layout.training(row) for row in layout.rows] == [("c", "plain"), ("c", "small"), ("c", "plain")]
    assert [layout.label(row) for row in layout.rows] == [["plain"], ["small"], ["dense"]]
    assert layout.baseline == layout.rows[2]


def test_without_a_grid_and_rows_the_models_are_the_rows(read: Read) -> None:
    study = read('models = ["unet3d", "c"]\nbaseline = "c"')
    assert study.layout.rows == [("unet3d",), ("c",)]
    assert study.layout.baseline == ("c",)
    assert study.layout.heads == {"model": "Model"}


def test_models_have_their_published_names(read: Read) -> None:
    layout = read('models = ["c", "iosnet", "mine"]').layout
    assert [layout.label(row) for row in layout.rows] == [["OSS-Net C"], ["IOSNet"], ["mine"]]


def test_the_values_of_an_axis_may_be_lists(read: Read) -> None:
    points = read('models = ["c"]\nseeds = [0]\ngrid.network.encoder_channels = [[8, 16], [8, 16, 32]]').grid(
        load_profile("laptop")
    )
    assert [point.columns["network.encoder_channels"] for point in points] == ["8 16", "8 16 32"]


def test_two_settings_that_end_alike_keep_their_whole_names(read: Read) -> None:
    grid = "[grid.recipe]\nsampling.protocol = ['paper']\nvalidation.protocol = ['dense', 'paper']\n"
    heads = read(f"models = ['c']\n{grid}headings.recipe.sampling.protocol = 'Drawn'\n".replace("headings", "#"))
    assert [*heads.layout.heads.values()][1:] == ["Recipe.sampling.protocol", "Recipe.validation.protocol"]
    named = read(f"models = ['c']\nheadings.recipe.sampling.protocol = 'Drawn'\n{grid}")
    assert [*named.layout.heads.values()][1:] == ["Drawn", "Recipe.validation.protocol"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('models = ["e"]', ["unknown model 'e'", "unet3d"]),
        ('models = ["c"]\n[grid]\nnetwork.patch_siz = [3]', ["network.patch_siz", "model c", "network.patch_size"]),
        ('models = ["c"]\ngrid.network.encoder_channels = [8, 16]', ["grid.network.encoder_channels", "[[8, 16], "]),
        ('models = ["c"]\ngrid.preprocessing.shape = [64, 32]', ["grid.preprocessing.shape = [64, 32]", "[[64, 32], "]),
        ('models = ["c"]\n[grid]\nnetwork.shape = [3]', ["network.shape", "model c"]),
        ('models = ["c", "unet3d"]\n[grid]\nnetwork.patch_size = [3]', ["network.patch_size", "unet3d", "c has it"]),
        ('models = ["c"]\nsettings.extraction = "all"', ["'all'", "dense, mise"]),
        (
            'models = ["c"]\n[[rows]]\nlabel = "flat"\nmodels = ["unet2d-width"]\nnetwork.patch_size = 3',
            ["row 'flat'", "network.patch_size", "unet2d-width"],
        ),
    ],
)
def test_a_setting_that_does_not_exist_is_named_before_anything_is_planned(
    text: str, named: list[str], read: Read, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        read(text).grid(load_profile("laptop"))
    assert str(error.value).startswith(str(tmp_path / "own.toml"))
    assert all(part in str(error.value) for part in named)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('baseline = "d"', ["'d'", "no row", "c, 3; c, 5"]),
        ('baseline = "c"', ["several rows", "c, 3; c, 5"]),
        ("baseline.network.patch_siz = 3", ["baseline.network.patch_siz", "network.patch_size"]),
        ('headings.patches = "Patches"', ["headings.patches", "network.patch_size"]),
    ],
)
def test_a_baseline_or_heading_that_fits_nothing_is_refused(text: str, named: list[str], read: Read) -> None:
    with pytest.raises(UserError) as error:
        read(f'models = ["c"]\n{text}\n[grid]\nnetwork.patch_size = [3, 5]')
    assert all(part in str(error.value) for part in named)


def test_a_study_of_the_suite_cannot_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "table2"\nmodels = ["c"]\n', encoding="utf-8")
    with pytest.raises(UserError, match="table2"):
        find_studies([str(path)])


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "one.toml", tmp_path / "other.toml"]
    for path in paths:
        path.write_text('name = "own"\nmodels = ["c"]\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"one\.toml.*other\.toml.*own"):
        find_studies([str(path) for path in paths])
    assert [study.file for study in find_studies([str(paths[0])] * 2)] == [paths[0]]


def test_a_broken_file_harms_no_study_of_the_suite(tmp_path: Path, read: Read) -> None:
    (tmp_path / "studies").mkdir()
    read('models = ["c"]')
    (tmp_path / "own.toml").rename(tmp_path / "studies" / "own.toml")
    assert [study.name for study in find_studies(["own", "table2"], tmp_path)] == ["table2", "own"]
    assert find_studies([], tmp_path)[-1].name == "own"
    broken = tmp_path / "studies" / "broken.toml"
    broken.write_text("name = 3", encoding="utf-8")
    assert find_studies(["table2"], tmp_path) == [TABLE2]
    with pytest.raises(UserError, match=r"broken\.toml"):
        find_studies([], tmp_path)


def test_points_know_their_file(read: Read, tmp_path: Path) -> None:
    (point, *_) = read('models = ["c"]\n[[rows]]\nlabel = "plain"').grid(load_profile("laptop"))
    assert point.origin == f"{tmp_path / 'own.toml'}, row 'plain'"
    assert replace(point, origin="") == replace(TABLE2.grid(load_profile("laptop"), ["c"])[0], columns=point.columns)
