import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from baselines.onet import ONet
from ossnet import registry
from ossnet.errors import UserError
from ossnet.model import SegmentationModel
from ossnet.network.occupancy_network import OSSNetC
from ossnet.registry import model_names, model_type

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
LISTED = set(PROJECT["project"]["entry-points"]["ossnet.models"])


def test_every_model_of_the_project_is_listed() -> None:
    assert set(model_names()) >= LISTED
    assert model_names() == sorted(model_names())


def test_by_name() -> None:
    assert model_type("c") is OSSNetC
    assert model_type("onet") is ONet
    assert all(issubclass(model_type(name), SegmentationModel) for name in model_names())


@pytest.mark.parametrize("name", ["C", "", "unet"])
def test_an_unknown_name_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(UserError, match="choose one of a, b, c, d, ") as caught:
        model_type(name)
    assert repr(name) in str(caught.value)


def test_another_package_adds_its_own_also_to_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint("mine", "ossnet.network.occupancy_network:OSSNetC", group)]

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "entry_points", entry_points)
    assert set(model_names()) == {*LISTED, "mine"}
    assert model_type("mine") is OSSNetC


def test_without_an_installed_package_the_checkout_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    assert set(model_names()) == LISTED
    assert model_type("c") is OSSNetC
    assert model_type("onet") is ONet
    with pytest.raises(UserError, match="unknown model 'unet'"):
        model_type("unet")
