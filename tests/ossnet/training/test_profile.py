from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ossnet.config import build, merge, plain
from ossnet.data.case import Dataset
from ossnet.data.regions import NAMED
from ossnet.data.sources import EMBEDDED
from ossnet.errors import UserError
from ossnet.registry import model_names, model_type
from ossnet.training import profile as profiles
from ossnet.training.profile import Profile, load_profile, profile_names
from ossnet.training.run import RunSpec

MODALITIES = {"glioma": ("flair", "t1", "t1ce", "t2"), "liver": ("ct",), "own": ("x", "y")}


def dataset_named(name: str) -> Dataset:
    def load(_: str) -> Any:
        raise AssertionError("a specification needs no case")

    return Dataset(name, MODALITIES.get(name, ("x",)), {}, load, "fingerprint")


def with_table(**table: Any) -> Profile:
    own = {"own": {"every": {"preprocessing": {"shape": [16, 16, 16]}}}}
    return Profile("mine", (0,), merge({"datasets": own}, table))


def test_there_are_profiles() -> None:
    assert {"laptop", "paper", "released", "workstation"} <= set(profile_names())


@pytest.mark.parametrize("dataset", MODALITIES)
@pytest.mark.parametrize("name", profile_names())
def test_every_profile_has_a_valid_run_for_every_model_and_data_set(name: str, dataset: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert len(set(profile.seeds)) == len(profile.seeds) > 0
    assert 2**13 % profile.locations_scale == 0
    made = None
    if dataset in EMBEDDED:
        generator = build(EMBEDDED[dataset].config_type, profile.generator(dataset), f"profile {name}")
        assert min(generator.train, generator.validation, generator.test) > 0
        made = generator.shape
    for model in model_names():
        spec = profile.spec(model, dataset_named(dataset), profile.seeds[0])
        assert (spec.model, spec.dataset, spec.modalities) == (model, dataset, MODALITIES[dataset])
        if model_type(model).evaluates_locations:
            # As many as the paper's, scaled.
            assert spec.recipe.sampling.count == 2**14 / profile.locations_scale
        if spec.preprocessing.fit == "none" and made is not None:
            assert spec.preprocessing.shape == made


def test_the_papers_recipes() -> None:
    profile = load_profile("paper")
    recipes = {m: profile.spec(m, dataset_named("glioma"), 0).recipe for m in ("c", "unet3d", "unet2d-depth")}
    assert {m: (r.epochs, r.optimization.learning_rate) for m, r in recipes.items()} == {
        "c": (50, 3e-4),
        "unet3d": (20, 1e-3),
        "unet2d-depth": (50, 1e-4),
    }
    assert recipes["c"].optimization.milestones == (20, 30)
    assert (recipes["c"].batch_size, recipes["unet3d"].batch_size) == (8, 2)
    assert recipes["c"].validation.locations == 2**17


def test_the_released_codes_recipe_differs_from_the_papers_where_it_should() -> None:
    def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        parts = (flat(v, f"{prefix}{k}.") if isinstance(v, dict) else {f"{prefix}{k}": v} for k, v in values.items())
        return merge(*parts)

    def changed(dataset: str) -> dict[str, Any]:
        paper, released = (
            flat(plain(load_profile(name).spec("c", dataset_named(dataset), 0))) for name in ("paper", "released")
        )
        assert paper.keys() <= released.keys()
        return {key: value for key, value in released.items() if key not in paper or paper[key] != value}

    of_both = {"recipe.norm_parts": 2, "recipe.sampling.protocol": "released", "recipe.validation.protocol": "released"}
    assert changed("brats2020") == of_both
    validation = {"recipe.validation.locations": 2**14, "recipe.validation.border_share": 0.4}
    assert changed("lits") == of_both | validation | {"preprocessing.label_resizing": "nearest"}


def test_later_layers_win() -> None:
    def epochs(number: int) -> dict[str, Any]:
        return {"recipe": {"epochs": number}}

    layers: list[dict[str, Any]] = [
        {"every": epochs(2)},
        {"occupancy": epochs(3)},
        {"c": epochs(4)},
        {"datasets": {"own": {"every": epochs(5)}}},
        {"datasets": {"own": {"occupancy": epochs(6)}}},
        {"datasets": {"own": {"c": epochs(7)}}},
    ]
    table: dict[str, Any] = {"occupancy": {"network": {"encoder_channels": [4, 4]}}}
    for number, layer in enumerate(layers, start=2):
        table = merge(table, layer)
        assert with_table(**table).spec("c", dataset_named("own"), 0).recipe.epochs == number
    assert with_table(**table).spec("c", dataset_named("own"), 0, epochs(8)).recipe.epochs == 8
    assert with_table(**table).spec("d", dataset_named("own"), 0).recipe.epochs == 6
    assert with_table(**table).spec("unet3d", dataset_named("own"), 0).recipe.epochs == 5


def test_a_data_set_without_settings_takes_those_of_own_data() -> None:
    profile = load_profile("laptop")
    assert profile.spec("c", dataset_named("mine"), 0).recipe == profile.spec("c", dataset_named("own"), 0).recipe
    assert profile.generator("mine.csv") == {}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"recipy": {"epochs": 3}}, "'recipy'.* network., recipe., preprocessing."),
        ({"recipe": 3}, "'recipe'"),
        ({"network": 3}, "'network'"),
        ({"recipe": {"epoch": 3}}, "profile laptop, model c: recipe.epoch: unknown field"),
        ({"recipe": {"epochs": 0}}, "profile laptop, model c: recipe.epochs: Input should be greater"),
        ({"recipe": {"sampling": {"count": "many"}}}, "profile laptop, model c: recipe.sampling.count"),
        ({"recipe": {"sampling": {"border_width": 4}}}, "profile laptop, model c: recipe.sampling: .*odd width"),
        ({"preprocessing": {"fit": "crop"}}, "profile laptop, model c: preprocessing.fit"),
        ({"network": {"output_skips": False}}, "profile laptop, model c: .* model a with .*auxiliary_weight = 0.1"),
        ({"network": {"decoder_with": 3}}, "model c, network: decoder_with"),
        ({"network": {"nested": True}}, "model c: network.nested follows from preprocessing.regions"),
        ({"preprocessing": {"regions": "bratz"}}, "model c: preprocessing.regions: 'bratz'"),
    ],
)
def test_a_setting_that_is_wrong_is_named(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_profile("laptop").spec("c", dataset_named("own"), 0, overrides)
    assert "\n" not in str(caught.value)


DECATHLON = {1: "edema", 2: "non-enhancing tumor", 3: "enhancing tumour"}


@pytest.mark.parametrize(
    ("regions", "names", "fitting"),
    [
        ("brats", DECATHLON, "brats-msd"),
        ("brats2023", DECATHLON, "brats-msd"),
        ("brats-msd", {1: "NCR", 2: "ED", 3: "ET"}, "brats2023"),
        ("lits", {1: "pancreas", 2: "cancer"}, "other regions"),
    ],
)
def test_regions_of_other_labels_than_the_data_sets_are_refused(
    regions: str, names: dict[int, str], fitting: str
) -> None:
    def spec(regions: Any, names: dict[int, str]) -> RunSpec:
        data = replace(dataset_named("own"), label_names=names)
        return load_profile("laptop").spec("c", data, 0, {"preprocessing": {"regions": regions}})

    with pytest.raises(UserError, match=f"preprocessing.regions={regions} .*data set own: . is .* give {fitting}"):
        spec(regions, names)
    # A table of the user's is taken at its word, and names change no identity.
    as_table = {name: list(values) for name, values in NAMED[regions]}
    assert spec(as_table, names).identity == spec(regions, {}).identity


def test_a_specification_has_every_field_of_the_network() -> None:
    """A changed default makes another run, and a default that is written out does not."""
    plainly = load_profile("laptop").spec("c", dataset_named("own"), 0)
    assert plainly.network["activation"] == "pau"
    assert not plainly.network.keys() & {"shape", "modalities", "classes"}
    written_out = load_profile("laptop").spec("c", dataset_named("own"), 0, {"network": {"activation": "pau"}})
    assert written_out.identity == plainly.identity


def test_unknown_names_and_seeds_below_zero_are_refused() -> None:
    with pytest.raises(UserError, match=r"profile 'desktop'.* laptop"):
        load_profile("desktop")
    with pytest.raises(UserError, match=r"model 'e'.* a, b, c"):
        load_profile("laptop").spec("e", dataset_named("own"), 0)
    with pytest.raises(UserError, match="seed"):
        load_profile("laptop").spec("c", dataset_named("own"), -1)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a profile and return its path."""

    def at(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return at


@pytest.mark.parametrize("place", ["[occupanci.recipe]", "[datasets.own.ocupancy.recipe]", "[efort]"])
def test_an_unknown_table_is_refused(place: str, write: Callable[[str, str], str]) -> None:
    path = write("mine.toml", f"seeds = [0]\n[datasets.own]\n{place}\nepochs = 3\n")
    with pytest.raises(UserError, match=r"mine.toml: '(oc+upanc[iy]|efort)' .* a, b, c"):
        load_profile(path)


def test_a_file_takes_precedence_over_its_base(write: Callable[[str, str], str]) -> None:
    write("site.toml", 'base = "laptop"\nseeds = [7]\n[slurm]\npartition = "gpu"\nparallel = 3\n')
    path = write(
        "mine/longer.toml",
        'base = "../site.toml"\n[slurm]\nparallel = 9\n[studies]\nlocations_scale = 32\n[c.recipe]\nepochs = 11\n',
    )
    mine, laptop = load_profile(path), load_profile("laptop")
    assert (mine.name, mine.seeds, mine.locations_scale) == ("longer", (7,), 32)
    assert mine.slurm == {"partition": "gpu", "parallel": 9}
    ours, theirs = (profile.spec("c", dataset_named("glioma"), 0) for profile in (mine, laptop))
    assert ours.recipe.epochs == 11
    assert replace(ours, recipe=theirs.recipe) == theirs
    assert mine.spec("d", dataset_named("glioma"), 0) == laptop.spec("d", dataset_named("glioma"), 0)
    assert mine.generator("glioma") == laptop.generator("glioma")


def test_a_file_needs_neither_a_base_nor_data_sets(write: Callable[[str, str], str]) -> None:
    profile = load_profile(write("mine.toml", "seeds = [3]\n[every.preprocessing]\nshape = [16, 16, 16]\n"))
    assert (profile.slurm, profile.locations_scale) == ({}, 1)
    assert profile.spec("unet3d", dataset_named("own"), 3).preprocessing.shape == (16, 16, 16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = []", "mine.toml: seeds: "),
        ("seeds = [-1]", r"mine.toml: seeds\.0: Input should be greater than or equal to 0"),
        ("seeds = [1, 1]", r"mine.toml: .*seeds \[1, 1\]"),
        ("[studies]\nlocations_scale = 1", "mine.toml: seeds: Field required"),
        ('base = "laptop"\n[studies]\nlocations_scale = 0', r"mine.toml: studies\.locations_scale: Input should be"),
        ('base = "laptop"\n[studies]\nlocation_scale = 2', "studies.location_scale: unknown field"),
        ('base = "laptop"\noccupancy = 3', r"mine.toml: models\.occupancy: give a table"),
        ('base = "laptop"\n[datasets]\nown = 3', r"mine.toml: datasets\.own: give a table"),
        ('base = "desktop"', "profile 'desktop'.* laptop"),
        ("base = 3", "mine.toml: base = 3"),
        ('base = "mine.toml"', "mine.toml .*base"),
        ('base = "other.toml"', "mine.toml .*base"),
        ('base = "none.toml"', "none.toml"),
        ("seeds =", "mine.toml .*TOML"),
    ],
)
def test_a_wrong_file_is_named(text: str, message: str, write: Callable[[str, str], str]) -> None:
    write("other.toml", 'base = "mine.toml"')
    with pytest.raises(UserError, match=message) as caught:
        load_profile(write("mine.toml", text))
    assert "\n" not in str(caught.value)


def test_a_file_named_as_a_packaged_profile_is_refused(write: Callable[[str, str], str]) -> None:
    with pytest.raises(UserError, match=r"laptop.toml .*package.*rename it"):
        load_profile(write("laptop.toml", 'base = "laptop"\nseeds = [5]'))
    packaged = Path(profiles.__file__).parents[1] / "profiles" / "laptop.toml"
    assert load_profile(str(packaged)) == load_profile("laptop")
