import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ossnet.config import plain
from ossnet.data.case import Case, Dataset
from ossnet.errors import UserError
from ossnet.locks import hold
from ossnet.training.checkpoint import load_weights
from ossnet.training.learned_labels import FILE
from ossnet.training.loop import EpochReport
from ossnet.training.run import RunSpec, load_run, read_spec, started_from, train_run, write_spec
from ossnet.training.seen_cases import read_seen_cases

CPU = torch.device("cpu")
MakeSpec = Callable[..., RunSpec]


def train_quietly(spec: RunSpec, dataset: Dataset, folder: Path) -> list[EpochReport]:
    """Train in `folder/run`."""
    return train_run(spec, dataset, folder / "run", folder / "cache", CPU, lambda *_: None)


@pytest.fixture(scope="module")
def trained(tiny_spec: MakeSpec, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_quietly(tiny_spec(), dataset, folder)
    return folder / "run"


def test_a_run_is_in_its_folder(trained: Path, tiny_spec: MakeSpec) -> None:
    files = {"spec.json", "cases.json", "checkpoint.pt", "history.csv", "model.safetensors", "training.lock"}
    assert {path.name for path in trained.iterdir()} == files
    model, spec = load_run(trained)
    assert spec == tiny_spec()
    assert not model.training
    seen = read_seen_cases(trained)
    assert seen is not None
    assert (list(seen.train), list(seen.validation)) == (["a", "b", "c"], ["d"])


def test_a_finished_run_reports_its_course_again(
    trained: Path, tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path
) -> None:
    reports: list[tuple[EpochReport, float]] = []
    history = train_run(tiny_spec(), dataset, trained, tmp_path, CPU, lambda past, left: reports.append((past, left)))
    assert [past for past, _ in reports] == history
    assert [past.epoch for past in history] == [0, 1, 2]
    # The mean time of an epoch so far, for each that is left.
    assert [left for _, left in reports] == pytest.approx(
        [2 * history[0].seconds, (history[0].seconds + history[1].seconds) / 2, 0]
    )


def test_a_folder_of_another_run_is_refused(trained: Path, tiny_spec: MakeSpec, dataset: Dataset) -> None:
    before = (trained / "spec.json").read_bytes()
    with pytest.raises(UserError, match=rf"{trained} .*another configuration"):
        train_quietly(tiny_spec(seed=1), dataset, trained.parent)
    assert (trained / "spec.json").read_bytes() == before


def test_a_folder_whose_training_never_began_is_taken_over(
    tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise UserError("no such setting")

    prepared: list[tuple[int, int]] = []
    with monkeypatch.context() as patch:
        patch.setattr("ossnet.training.batches.BatchMaker.begin", fail)
        with pytest.raises(UserError, match="no such setting"):
            train_quietly(tiny_spec(), dataset, tmp_path)
    assert read_spec(tmp_path / "run") == tiny_spec()
    other, places = tiny_spec(seed=1), (tmp_path / "run", tmp_path / "cache")
    train_run(other, dataset, *places, CPU, lambda *_: None, lambda *part: prepared.append(part))
    assert load_run(tmp_path / "run")[1] == other
    assert prepared == [(1, 3), (2, 3), (3, 3), (1, 1)]


def test_label_names_of_a_run_that_has_begun_are_left_as_they_are(
    trained: Path, tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path
) -> None:
    corrected = '{"1": "corrected"}'
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / FILE).write_text(corrected)
    train_quietly(tiny_spec(), dataset, tmp_path)
    assert (tmp_path / "run" / FILE).read_text() == corrected


def test_two_trainings_in_one_folder_are_refused(tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path) -> None:
    with hold(tmp_path / "run" / "training.lock"):
        with pytest.raises(UserError, match=f"another process .*{tmp_path}"):
            train_quietly(tiny_spec(), dataset, tmp_path)
        assert not (tmp_path / "run" / "spec.json").exists()
    # The file of a lock that was released does not refuse another training.
    train_quietly(tiny_spec(), dataset, tmp_path)
    assert read_spec(tmp_path / "run") == tiny_spec()


def test_a_mistake_leaves_no_folder(tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path) -> None:
    def without_label(of: str) -> Dataset:
        def load(name: str) -> Any:
            return replace(dataset.load(name), label=None) if name == of else dataset.load(name)

        return replace(dataset, load=load)

    mistakes = {
        f"{dataset.name} has no case .*split train": (
            tiny_spec(),
            replace(dataset, splits={**dataset.splits, "train": ()}),
        ),
        "model c, network: depth": (replace(tiny_spec(), network={"depth": 3}), dataset),
        "case a .*label": (tiny_spec(), without_label("a")),
        # Of the validation, before the training.
        "case d .*label": (tiny_spec(), without_label("d")),
        "shape": (tiny_spec(changes={"preprocessing": {"shape": [16, 12, 16]}}), dataset),
    }
    for message, (spec, source) in mistakes.items():
        with pytest.raises(UserError, match=message):
            train_quietly(spec, source, tmp_path)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "strategy"), [("unet3d", "uniform"), ("unet2d-depth", "uniform"), ("c", "border"), ("c", "confidence")]
)
def test_healthy_controls_are_trained_and_validated_on(
    model: str, strategy: str, tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path
) -> None:
    def load(name: str) -> Case:
        case = dataset.load(name)
        assert case.label is not None
        return replace(case, label=0 * case.label) if name in ("a", "d") else case

    controls = replace(dataset, load=load)
    assert dataset.splits["validation"] == ("d",)
    # Steps enough for each of the three training cases.
    recipe = {"epochs": 1, "steps_per_epoch": 3, "sampling": {"strategy": strategy}}
    history = train_quietly(tiny_spec(model, changes={"recipe": recipe}), controls, tmp_path)
    assert all(math.isfinite(past.loss) for past in history)
    # Without foreground, the IoU is 0 or not defined.
    assert all(past.iou == 0 or math.isnan(past.iou) for past in history if past.iou is not None)
    load_run(tmp_path / "run")


@pytest.mark.parametrize("contents", [None, b"", b"{", b"[1]", b"3", b"\xff\xfe"])
def test_what_is_no_run_is_refused(contents: bytes | None, tmp_path: Path) -> None:
    if contents is not None:
        (tmp_path / "spec.json").write_bytes(contents)
    with pytest.raises(UserError, match=rf"{tmp_path}") as caught:
        load_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_that_is_not_whole_is_refused(tiny_spec: MakeSpec, tmp_path: Path) -> None:
    write_spec(tmp_path, tiny_spec())
    with pytest.raises(UserError, match=r"model\.safetensors.* finished training"):
        load_run(tmp_path)


def test_weights_of_another_model_are_refused(trained: Path, tiny_spec: MakeSpec, tmp_path: Path) -> None:
    write_spec(tmp_path, tiny_spec("a"))
    (tmp_path / "model.safetensors").write_bytes((trained / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match=rf"weights .*{tmp_path} .*spec\.json") as caught:
        load_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_training_starts_from_the_weights_of_another_run_and_has_seen_its_cases(
    trained: Path, tiny_spec: MakeSpec, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = started_from(tiny_spec(seed=1), trained)
    assert spec.start == tiny_spec().identity
    assert "start" not in plain(tiny_spec(seed=1))
    assert spec.identity != tiny_spec(seed=1).identity
    begun: dict[str, torch.Tensor] = {}
    monkeypatch.setattr("ossnet.training.run.train", lambda model, *_: begun.update(model.state_dict()))
    other = replace(dataset, splits={"train": ("e",), "validation": (), "test": ()})
    folders = tmp_path / "run", tmp_path / "cache"
    train_run(spec, other, *folders, CPU, lambda *_: None, start=trained)
    weights = load_weights(trained / "model.safetensors")
    assert begun.keys() == weights.keys()
    assert all(torch.equal(begun[name], weights[name]) for name in weights)
    seen, before = read_seen_cases(tmp_path / "run"), read_seen_cases(trained)
    assert seen is not None
    assert before is not None
    assert set(seen.train.values()) == {*before.train.values(), seen.train["e"]}
    assert set(seen.validation.values()) == set(before.validation.values())

    with pytest.raises(UserError, match="starts from is not in"):
        train_run(replace(spec, start="another"), other, *folders, CPU, lambda *_: None, start=trained)
    with pytest.raises(UserError, match="patch_size is 3, not 5"):
        started_from(tiny_spec(changes={"network": {"patch_size": 5}}), trained)
    # Three classes have three outputs, and two nested regions have two.
    write_spec(tmp_path / "classes", tiny_spec(changes={"preprocessing": {"classes": 3}}))
    with pytest.raises(UserError, match="regions is None"):
        started_from(tiny_spec(changes={"preprocessing": {"regions": "lits"}}), tmp_path / "classes")
    # The length of the latent vector follows from the grid.
    larger = started_from(tiny_spec(changes={"preprocessing": {"shape": [64, 32, 32], "fit": "pad"}}), trained)
    with pytest.raises(UserError, match=r"preprocessing\.shape"):
        train_run(larger, other, tmp_path / "larger", folders[1], CPU, lambda *_: None, start=trained)
    assert not (tmp_path / "larger").exists()
