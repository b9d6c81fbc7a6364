import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from ossnet.errors import UserError
from ossnet.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights

WEIGHTS = {"layer.weight": torch.arange(3000.0).reshape(30, 100).T, "steps": torch.tensor(7)}
STATE = {
    "identity": "abc",
    "model": WEIGHTS,
    "generator": torch.Generator().get_state(),
    "optimizer": {"state": {(0, 1): {"slow": torch.ones(2)}}},
    "history": [{"epoch": 0, "loss": 0.5, "iou": None}],
}


@contextmanager
def full_disk(free_bytes: int) -> Iterator[None]:
    """Limit the size of files to `free_bytes`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint.pt", STATE)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert state.keys() == STATE.keys()
    assert torch.equal(state["model"]["layer.weight"], WEIGHTS["layer.weight"])
    assert torch.equal(state["optimizer"]["state"][0, 1]["slow"], torch.ones(2))
    assert torch.equal(state["generator"], STATE["generator"])
    assert state["history"] == STATE["history"]


@pytest.mark.parametrize("wrapper", ["", "module."])
def test_weights_come_back_as_they_were_before_a_wrapper(wrapper: str, tmp_path: Path) -> None:
    save_weights(tmp_path / "model.safetensors", {f"{wrapper}{name}": value for name, value in WEIGHTS.items()})
    weights = load_weights(tmp_path / "model.safetensors")
    assert weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)


def damage(path: Path, how: str) -> None:
    whole = path.read_bytes()
    contents = {
        "empty": b"",
        "cut short": whole[: len(whole) // 2],
        "without its end": whole[:-10],
        "text": b"this is no checkpoint\n",
        "zeros": bytes(500),
    }
    path.write_bytes(contents[how])


@pytest.mark.parametrize("how", ["empty", "cut short", "without its end", "text", "zeros"])
@pytest.mark.parametrize(
    ("save", "load", "contents"), [(save_checkpoint, load_checkpoint, STATE), (save_weights, load_weights, WEIGHTS)]
)
def test_a_damaged_file_is_named_in_one_line(
    save: Callable[..., None], load: Callable[[Path], object], contents: dict[str, Any], how: str, tmp_path: Path
) -> None:
    save(tmp_path / "model", contents)
    damage(tmp_path / "model", how)
    with pytest.raises(UserError, match=r"model .*damaged") as caught:
        load(tmp_path / "model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [load_checkpoint, load_weights])
def test_an_intact_file_without_permission_is_not_called_damaged(
    load: Callable[[Path], object], forbid: Callable[[Path], None], tmp_path: Path
) -> None:
    save_weights(tmp_path / "model", WEIGHTS)
    forbid(tmp_path / "model")
    with pytest.raises(UserError, match=r"model: Permission denied"):
        load(tmp_path / "model")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_an_intact_file_that_memory_does_not_hold_is_not_called_damaged(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    (tmp_path / "model").touch()
    monkeypatch.setattr(torch, "load", fail)
    monkeypatch.setattr(safetensors.torch, "load_file", fail)
    for load in (load_checkpoint, load_weights):
        with pytest.raises(UserError, match=r"model: not enough memory"):
            load(tmp_path / "model")


class Trap:
    """Object that makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_is_a_dictionary_and_runs_no_code(tmp_path: Path) -> None:
    for contents in ({"identity": Trap(tmp_path / "sprung")}, [torch.ones(3)]):
        torch.save(contents, tmp_path / "checkpoint.pt")
        with pytest.raises(UserError, match="damaged"):
            load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("save", "name"),
    [(lambda path: save_checkpoint(path, STATE), "a.pt"), (lambda path: save_weights(path, WEIGHTS), "a.st")],
)
def test_a_full_disk_leaves_the_old_file(save: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("old")
    with full_disk(1000), pytest.raises(UserError, match=rf"{name}.*free space") as caught:
        save(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "old")]
