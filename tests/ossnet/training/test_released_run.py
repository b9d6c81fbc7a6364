"""Import and export of checkpoints in the released naming, and the cases that their weights have learned from."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from ossnet.data.brats import brats_dataset
from ossnet.data.case import Dataset
from ossnet.data.lits import MODALITIES
from ossnet.errors import UserError
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.network.released import DATASETS, VARIANTS, released_config, released_name
from ossnet.training.profile import load_profile
from ossnet.training.released_run import (
    MODELS,
    export_released,
    import_released,
    refuse_cases_of_released_training,
    roles_in_released_training,
)
from ossnet.training.run import RunSpec, load_run, read_spec

PAIRS = [(variant, dataset) for variant in VARIANTS for dataset in DATASETS]

SMALL_LAYERS = {"decoder_width": 8, "decoder_blocks": 2, "patch_size": 3}
SMALL = {
    "brats": {"shape": (64, 64, 48), "modalities": 4, "encoder_channels": (4, 4, 4), **SMALL_LAYERS},
    "lits": {"shape": (64, 64, 64), "modalities": 1, "encoder_channels": (4, 4, 4, 4), **SMALL_LAYERS},
}
"""The released networks with small layers, and as many more levels for LiTS, whose files take a moment."""


def save(path: Path, variant: str, dataset: str, **changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Write a checkpoint of first weights, and return its contents."""
    network = OccupancyNetwork(released_config(variant, dataset))
    state = {released_name(name): value for name, value in network.state_dict().items()} | changes
    torch.save(state, path)
    return state


@pytest.mark.parametrize(("variant", "dataset"), PAIRS)
def test_each_pair_is_recognised_and_comes_back_as_it_was(
    variant: str, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATASETS, dataset, SMALL[dataset])
    state = save(tmp_path / "released.pt", variant, dataset)
    spec = import_released(tmp_path / "released.pt", tmp_path / "run")
    assert (spec.model, spec.dataset) == (MODELS[variant], {"brats": "brats2020", "lits": "lits"}[dataset])
    assert spec.config == released_config(variant, dataset)
    assert read_spec(tmp_path / "run") == spec
    export_released(tmp_path / "run", tmp_path / "exported.pt")
    exported = torch.load(tmp_path / "exported.pt", weights_only=True)
    assert list(exported) == list(state)
    for name, value in state.items():
        assert exported[name].dtype == value.dtype
        assert exported[name].shape == value.shape
        assert exported[name].numpy().tobytes() == value.numpy().tobytes()


def test_the_specification_is_that_of_the_released_code(tmp_path: Path) -> None:
    save(tmp_path / "b.pt", "ossnet-b", "lits")
    spec = import_released(tmp_path / "b.pt", tmp_path / "run")
    assert (spec.preprocessing.fit, spec.preprocessing.orientation) == ("resize", "stored")
    assert spec.preprocessing.label_resizing == "nearest"
    recipe = spec.recipe
    assert (recipe.batch_size, recipe.norm_parts, recipe.sampling.protocol) == (4, 2, "released")
    assert (recipe.validation.locations, recipe.validation.border_share) == (2**14, 0.4)
    # Without the weights that were imported, it is a run of the profile with another identity.
    unseen = Dataset("lits", MODALITIES, {}, {}.__getitem__, "")
    trained = load_profile("released").spec("b", unseen, 0)
    assert trained.imported is None
    assert trained.identity != spec.identity


def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path, run = tmp_path / "a.pt", tmp_path / "run"
    half = "decoder.final_mapping.0.weight"
    save(path, "ossnet-a", "brats", **{half: torch.zeros(1, 512, dtype=torch.float16), "extra": torch.zeros(1)})
    with pytest.raises(UserError, match=r"ossnet-c for brats: .* \(missing\), .* and \d+ more"):
        import_released(path, run, "ossnet-c")
    with pytest.raises(UserError, match=r"ossnet-a for brats: .* extra \(unknown\)") as caught:
        import_released(path, run)
    assert f"{half} (torch.float16, not torch.float32)" in str(caught.value)
    torch.save({"encoder.blocks.0.main_mapping.0.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="no checkpoint of the released code"):
        import_released(tmp_path / "other.pt", run)
    assert not run.exists()


def test_one_folder_keeps_one_run_and_only_released_networks_are_exported(
    half_space: Callable[[Path, str], Path], tmp_path: Path, tiny_spec: Callable[..., RunSpec]
) -> None:
    first = import_released(half_space(tmp_path / "a.pt", "ossnet-a"), tmp_path / "run")
    assert import_released(tmp_path / "a.pt", tmp_path / "run") == first
    with pytest.raises(UserError, match="another configuration"):
        import_released(half_space(tmp_path / "b.pt", "ossnet-b"), tmp_path / "run")
    model, _ = load_run(tmp_path / "run")
    assert not model.training
    (tmp_path / "run" / "spec.json").unlink()
    with pytest.raises(UserError, match="not the folder of a run"):
        export_released(tmp_path / "run", tmp_path / "exported.pt")


def test_the_released_list_tells_which_cases_were_learned_from(
    brats_release: Callable[[Path, Sequence[int]], Path], tmp_path: Path
) -> None:
    # Cases 1 and 355 are listed for validation.
    dataset = brats_dataset(brats_release(tmp_path, [1, 2, 3, 355]))

    def roles(names: Sequence[str], weights: str = "brats2020") -> dict[str, str]:
        return roles_in_released_training(names, weights, {"cropped": (60, 60, 43), "x": (155, 240, 240)}.__getitem__)

    train, validation = (roles(dataset.splits[split]) for split in ("train", "validation"))
    assert (list(train.values()), list(validation.values())) == (["train"] * 2, ["validation"] * 2)
    refuse_cases_of_released_training(dataset, "validation", validation, "brats2020", "run")
    with pytest.raises(UserError, match=r"2 of the 2 cases .*BraTS20_Training_002; give the released split"):
        refuse_cases_of_released_training(dataset, "train", train, "brats2020", "run")
    # A case of another name is none of them if its grid is another one.
    own = roles(["cropped", "x"])
    assert own == {"cropped": "unseen", "x": "unknown"}
    for weights, found in (("brats2020", own), ("lits", roles(["volume-0"], "lits"))):
        other = Dataset("own", MODALITIES, {"test": tuple(found)}, {}.__getitem__, "")
        assert "unknown" in found.values()
        with pytest.raises(UserError, match="--allow-learned-cases"):
            refuse_cases_of_released_training(other, "test", found, weights, "run")
