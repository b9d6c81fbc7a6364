"""Files of studies: what they may hold, and one line for what they may not."""

import doctest
from pathlib import Path

import pytest

from benchmarks.studies.custom import schema
from benchmarks.studies.custom.schema import read_study_file, unfold
from benchmarks.studies.registry import STUDIES
from ossnet.config import flatten
from ossnet.errors import UserError
from paper_figures.registry import FIGURES

STUDY = """\
name = "patches"
models = ["c"]
[grid]
network.patch_size = [3, 5]
"network.decoder_width" = [32, 64, 128]
"""


def refused(folder: Path, text: str) -> str:
    """Return the error of a file, without its path, which comes first."""
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_study_file(path)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def test_names_are_dotted_or_in_tables_and_quantities_are_named_as_in_tables(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('quantities = ["HD95", "dice"]\n' + STUDY, encoding="utf-8")
    content = read_study_file(path)
    assert content.grid.axes == {"network.patch_size": [3, 5], "network.decoder_width": [32, 64, 128]}
    assert content.quantities == ("hausdorff95", "dice")


def test_the_example_is_a_study(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text((schema.__doc__ or "").partition("\n\n")[2].partition("\n\n")[2], encoding="utf-8")
    axes = read_study_file(path).grid.axes
    assert [len(values) for values in axes.values()] == [3, 2]


def test_tables_are_flattened_and_unfolded() -> None:
    assert not doctest.testmod(schema).failed
    flat = {"recipe.sampling.count": 8, "network.patch_size": 3, "extraction": "dense"}
    assert flatten(unfold(flat)) == flat


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('titel = "Patches"', ["titel", "title, "]),
        ("grid.netwrk.patch_size = [3]", ["grid.netwrk", "network, recipe"]),
        ("settings.max_locations = 0", ["settings.max_locations"]),
        ('rows = [{label = "a", pathces = 3}]', ["rows.0.pathces", "label, models"]),
        ("rows = [{network.patch_size = 3}]", ["rows.0.label"]),
        ('rows = [{label = "a"}, {label = "a"}]', ["labels a, a"]),
        ('quantities = ["dise"]', ["'dise'", "dice, iou"]),
        ("seeds = [0, 0]", ["seeds 0, 0"]),
        ("grid.network.patch_size = 3", ["network.patch_size = 3"]),
        ("grid.network.patch_size = [3, 3]", ["network.patch_size"]),
        ("settings.recipe.epochs = 1\ngrid.recipe.epochs = [1, 2]", ["recipe.epochs"]),
        ('grid.network.patch_size = [3]\nrows = [{label = "a"}]', ["grid", "rows"]),
        ("grid.extraction = []", ["extraction"]),
        ('grid.network.patch_size = [3]\n"grid.network.patch_size" = [5]', ["grid.network.patch_size"]),
        ("settings.network = 3\nsettings.'network.patch_size' = 5", ["network"]),
        ('rows = [{label = "a", models = ["c", "c"]}]', ["rows.0", "models c, c"]),
        ("headings.network.patch_size = 3", ["headings.network.patch_size = 3"]),
        ('headings.network.patch_size = ["Patch"]', ["headings.network.patch_size", "Patch"]),
        ("seeds = 5", ["seeds: ", "[0, 1, 2]"]),
        ("seeds = [true, 2]", ["seeds: ", "[0, 1, 2]"]),
        ('[rows]\nlabel = "a"', ["rows: ", "[[rows]]"]),
        ("[[grid]]\nnetwork.patch_size = [3]", ["grid: ", "[grid]"]),
        ("baseline = 5", ["baseline: ", "label"]),
        ("grid.max_locations = [true]", ["grid.max_locations: "]),
        ("grid.network.encoder_channels = [8, 8]", ["network.encoder_channels", "[[8, 16], "]),
        (
            'grid.recipe.sampling = [{strategy = "border"}]',
            ["grid: recipe.sampling", "recipe.sampling.strategy", "rows"],
        ),
        ("[[rows]]\nlabel = 'a'\nnetwork.patch_size = 2024-01-01", ["rows.0.network.patch_size = 2024-01-01"]),
        ("grid.network.patch_size = [3, 07:32:00]", ["grid.network.patch_size.1 = 07:32:00"]),
        ("settings.recipe.optimization.learning_rate = nan", ["settings.recipe.optimization.learning_rate = nan"]),
    ],
)
def test_a_mistake_is_named_with_what_there_is(line: str, named: list[str], tmp_path: Path) -> None:
    message = refused(tmp_path, f'name = "own"\nmodels = ["c"]\n{line}\n')
    assert "\n" not in message
    assert all(part in message for part in named)


def test_a_list_is_asked_for_by_an_example_without_the_words_of_a_library(tmp_path: Path) -> None:
    assert 'models: give a list, such as ["c"]' in refused(tmp_path, 'name = "own"\nmodels = "c"\n')


@pytest.mark.parametrize(
    ("name", "named"), [("my-study", "a-z"), ("Mine", "a-z"), ("models", "'models'"), ("claims", "'claims'")]
)
def test_a_name_that_other_files_could_have_is_refused(name: str, named: str, tmp_path: Path) -> None:
    assert named in refused(tmp_path, f'name = "{name}"\nmodels = ["c"]\n')


def test_the_names_of_all_figures_are_known() -> None:
    assert set(schema.FIGURE_NAMES) == set(FIGURES) - set(STUDIES)
