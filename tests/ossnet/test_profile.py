import itertools
from pathlib import Path
from typing import Any

import pytest

from ossnet import profile as profiles
from ossnet.config import merge
from ossnet.data.case import Dataset
from ossnet.data.sources import EMBEDDED
from ossnet.errors import UserError
from ossnet.profile import Profile, load_profile, profile_names
from ossnet.registry import model_names, model_type

MODALITIES = {"glioma": ("flair", "t1", "t1ce", "t2"), "liver": ("ct",), "own": ("x", "y")}


def dataset_named(name: str) -> Dataset:
    def load(_: str) -> Any:
        raise AssertionError("a specification needs no case")

    return Dataset(name, MODALITIES.get(name, ("x",)), {}, load, "fingerprint")


def with_table(**table: Any) -> Profile:
    own = {"own": {"every": {"preprocessing": {"shape": [16, 16, 16]}}}}
    return Profile("mine", (0,), merge({"datasets": own}, table))


def test_there_are_profiles() -> None:
    assert {"laptop", "paper", "workstation"} <= set(profile_names())


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_has_a_valid_run_for_every_model_and_data_set(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert len(set(profile.seeds)) == len(profile.seeds) > 0
    identities = set()
    for model, dataset in itertools.product(model_names(), MODALITIES):
        spec = profile.spec(model, dataset_named(dataset), profile.seeds[0])
        assert (spec.model, spec.dataset, spec.modalities) == (model, dataset, MODALITIES[dataset])
        size = {"shape": spec.preprocessing.shape, "modalities": 1, "classes": spec.preprocessing.classes}
        # Constructs no weights: the paper's sizes take gigabytes.
        profiles.build(model_type(model).config_type, spec.network | size, f"{name}, {model}, {dataset}")
        identities.add(spec.identity)
    assert len(identities) == len(model_names()) * len(MODALITIES)


@pytest.mark.parametrize("dataset", EMBEDDED)
@pytest.mark.parametrize("name", profile_names())
def test_every_generator_is_valid_and_makes_what_its_models_take(name: str, dataset: str) -> None:
    profile = load_profile(name)
    config = profiles.build(EMBEDDED[dataset].config_type, profile.generator(dataset), f"profile {name}")
    assert min(config.train, config.validation, config.test) > 0
    for model in model_names():
        preprocessing = profile.spec(model, dataset_named(dataset), 0).preprocessing
        if preprocessing.fit == "none":
            assert preprocessing.shape == config.shape


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
    table: dict[str, Any] = {}
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
        ({"recipy": {"epochs": 3}}, "unknown setting 'recipy'; settings start with network., recipe., preprocessing."),
        ({"recipe": 3}, "unknown setting 'recipe'"),
        ({"network": 3}, "unknown setting 'network'"),
        ({"recipe": {"epoch": 3}}, "profile laptop, model c: recipe.epoch: unknown field"),
        ({"recipe": {"epochs": 0}}, "profile laptop, model c: recipe.epochs: Input should be greater"),
        ({"recipe": {"sampling": {"count": "many"}}}, "profile laptop, model c: recipe.sampling.count"),
        ({"recipe": {"sampling": {"border_width": 4}}}, "profile laptop, model c: recipe.sampling: .*odd width"),
        ({"preprocessing": {"fit": "crop"}}, "profile laptop, model c: preprocessing.fit"),
        ({"network": {"output_skips": False}}, "network.output_skips = True makes this model what it is"),
    ],
)
def test_a_setting_that_is_wrong_is_named(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_profile("laptop").spec("c", dataset_named("own"), 0, overrides)
    assert "\n" not in str(caught.value)


def test_a_seed_below_zero_is_refused() -> None:
    with pytest.raises(UserError, match="seed"):
        load_profile("laptop").spec("c", dataset_named("own"), -1)


def test_an_unknown_field_of_a_network_is_named() -> None:
    spec = load_profile("laptop").spec("c", dataset_named("own"), 0, {"network": {"decoder_with": 3}})
    with pytest.raises(UserError, match=r"model c, network: decoder_with"):
        spec.make_model()


def test_unknown_names_are_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match="unknown profile 'desktop'; choose one of laptop"):
        load_profile("desktop")
    with pytest.raises(UserError, match="unknown model 'e'; choose one of a, b, c"):
        load_profile("laptop").spec("e", dataset_named("own"), 0)


@pytest.mark.parametrize("place", ["[occupanci.recipe]", "[datasets.own.ocupancy.recipe]"])
def test_a_table_of_nothing_is_refused(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text(f"seeds = [0]\n[datasets.own]\n{place}\nepochs = 3\n")
    monkeypatch.setattr(profiles, "files", lambda _: tmp_path)
    with pytest.raises(UserError, match=r"profile mine: 'oc+upanc[iy]' is no model or family; known: a, b, c"):
        load_profile("mine")
