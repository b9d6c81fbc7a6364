"""`ossnet models MODEL`: the settings of a model, their values and what they may be."""

import doctest

import pytest

from ossnet.cli import allowed_values
from ossnet.cli.__main__ import main
from ossnet.cli.options import settings
from ossnet.data.case import Case, Dataset
from ossnet.training.profile import load_profile

Capture = pytest.CaptureFixture[str]


def listed(capsys: Capture, *arguments: str) -> dict[str, tuple[str, str]]:
    """Return the value and the rest of the line by setting."""
    assert main(["models", *arguments]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.split("  ") if cell] for line in lines]
    return {name: (value, allowed) for name, value, allowed in cells}


@pytest.mark.parametrize(("model", "dataset"), [("c", "liver"), ("unet2d-depth", "own")])
def test_the_listed_settings_are_those_of_the_profile(model: str, dataset: str, capsys: Capture) -> None:
    found = listed(capsys, model, "--data", dataset)
    profile = load_profile("laptop")
    data = Dataset(dataset, ("t1",), {}, dict[str, Case]().__getitem__, "")
    given = settings([f"{name}={value}" for name, (value, _) in found.items() if value != "unset"])
    assert profile.spec(model, data, 0, given) == profile.spec(model, data, 0)
    assert {name.split(".")[0] for name in found} == {"network", "recipe", "preprocessing"}
    assert not {"network.shape", "network.modalities", "network.classes"} & found.keys()


def test_values_and_what_they_may_be(capsys: Capture) -> None:
    found = listed(capsys, "c")
    assert found["network.patch_size"] == ("5", "whole number, at least 1")
    assert found["network.encoder_channels"] == ("[8, 16, 32]", "list: whole number, above 0")
    assert found["network.locations"] == ('"voxel"', '"voxel", "scaled" or "fourier"')
    assert found["recipe.steps_per_epoch"] == ("unset", "whole number, at least 1")
    assert found["preprocessing.shape"] == ("[64, 64, 48]", "list of 3: whole number, at least 1")
    # Those that define the model, and those that need another setting.
    assert found["network.output_skips"][0] == "true"
    assert found["network.output_skips"][1] != found["network.patches"][1]
    assert found["recipe.sampling.border_width"][0] == "7"
    assert found["recipe.sampling.border_width"][1] != found["recipe.sampling.count"][1]
    assert not doctest.testmod(allowed_values).failed


def test_options_of_a_list_of_settings_are_checked(capsys: Capture) -> None:
    wrong = ((["e"], "'e'"), (["c", "--data", "gliomas"], "glioma, liver, own"), (["--data", "own"], "--data"))
    for arguments, named in wrong:
        assert main(["models", *arguments]) == 2
        assert named in capsys.readouterr().err
