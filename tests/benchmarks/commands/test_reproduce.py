"""Table 2 from checkpoints in the released naming, on a tree of BraTS 2020."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from unittest.mock import Mock

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.commands.reproduce import LAYOUT
from benchmarks.markup import read_markdown
from benchmarks.names import MODEL_NAMES, PUBLISHED, read_published
from benchmarks.scoring.reproduction import find_checkpoints
from ossnet.data.case import Case
from ossnet.evaluation.evaluation import segment_case
from ossnet.network.released import VARIANTS
from ossnet.training.protocols import score_case_sampled
from ossnet.training.validation import Validation

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def place(
    half_space: Callable[[Path, str], Path],
    brats_release: Callable[[Path, Sequence[int]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with two validation cases and a training case of BraTS, and a checkpoint of every variant."""
    monkeypatch.chdir(tmp_path)
    brats_release(tmp_path / "brats", [1, 2, 355])
    for variant in VARIANTS:
        half_space(tmp_path / "weights" / f"{variant}.pt", variant)
    return tmp_path


COMMAND = ["reproduce", "--data", "brats:brats", "--weights", "weights", "--device", "cpu", "--locations", "20000"]


def read_numbers(place: Path) -> pd.DataFrame:
    table = place / "results" / "tables" / "reproduction.csv"
    return pd.read_csv(table).set_index(["protocol", "model", "quantity"])


def test_every_checkpoint_is_scored_next_to_the_papers_number(place: Path) -> None:
    (place / "weights" / "notes.txt").write_text("no checkpoint")
    assert main(COMMAND) == 0
    numbers = read_numbers(place)
    models = ["onet", "a", "b", "c", "d"]
    common, labelled = 30 * 60 * 43, 40 * 60 * 43
    # See `half_space`: the same planes are found by every network.
    iou = {
        "dense": common / labelled,
        "paper": common / (labelled + 32 * 64 * 48 - common),
        "released": common / (labelled + 31 * 63 * 47 - common),
    }
    published = read_published(PUBLISHED, "table2").set_index(["dataset", "model", "quantity"])["value"]
    for protocol, expected in iou.items():
        for model in models:
            row = numbers.loc[protocol, model, "iou"]
            assert (row["dataset"], row["profile"], row["seeds"], row["n"]) == ("brats2020", "released", 1, 2)
            assert row["value"] == pytest.approx(expected, abs=1e-9 if protocol == "dense" else 0.01)
            assert row["published"] == published["brats", model, "iou"]
    assert numbers.loc["dense", "c", "dice"]["value"] == pytest.approx(2 * 30 / (30 + 40))
    tables = read_markdown((place / "results" / "tables" / "reproduction.md").read_text())
    assert len(tables) == 3
    for table in tables:
        assert [row[0] for row in table.rows] == [MODEL_NAMES[model] for model in models]
        # Dice and IoU, ours and the paper's.
        assert len(table.head) == 1 + 4 + 2
    assert (place / "results" / "tables" / "reproduction.tex").read_text().count(r"\begin{table}") == 3


def test_scores_are_kept_for_each_checkpoint_and_case(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*COMMAND, "--protocol", "paper"]
    scored = []

    def score(model: object, case: Case, _: object, protocols: Sequence[Validation], *__: object) -> pd.DataFrame:
        names = [protocol.protocol for protocol in protocols]
        scored.append(names)
        if len(scored) == 4:
            raise KeyboardInterrupt
        rows = [(name, case.name, *score) for name in names for score in (("dice", 0.8, ""), ("iou", float("nan"), ""))]
        return pd.DataFrame(rows, columns=["protocol", "case", "quantity", "value", "unit"])

    monkeypatch.setattr("benchmarks.scoring.reproduction.score_case_sampled", score)
    assert main(command) == 130
    assert not (place / "results" / "tables" / "reproduction.md").exists()
    assert main(command) == 0
    # Five checkpoints and two cases, and the one that was interrupted.
    assert len(scored) == 5 * 2 + 1
    # Further weights are scored, and what is kept is not scored again; the same weights count once.
    torch.save(torch.load(place / "weights" / "o-net.pt"), place / "weights" / "same.pth")
    state = torch.load(place / "weights" / "ossnet-c.pt")
    torch.save(
        {name: value + (name == "decoder.final_mapping.0.weight") for name, value in state.items()},
        place / "weights" / "second.pt",
    )
    assert main(command) == 0
    assert len(scored) == 5 * 2 + 1 + 2
    numbers = pd.read_csv(place / "results" / "tables" / "reproduction.csv").set_index(["model", "quantity"])
    assert numbers.loc["c", "dice"]["seeds"] == 2
    assert numbers.loc["onet", "dice"]["seeds"] == 1
    # Another protocol is scored by itself.
    assert main([*COMMAND, "--protocol", "released", "paper"]) == 0
    assert scored[13:] == [["released"]] * 6 * 2


CENTRE, SQUARED_RADIUS = (92, 92, 100), 399.5
"""A ball, in voxels of the stored volumes, that overlaps with the tumours of both cases; no voxel is on its surface."""


@pytest.fixture
def ball(half_space: Callable[..., Path]) -> Callable[..., None]:
    """Write a released checkpoint of the paper's grid whose network finds the ball in any case of BraTS."""

    def write(path: Path, variant: str, full: bool = False) -> None:
        state = torch.load(half_space(path, variant, (256, 256, 160), full))
        # The first block squares the distances along the axes from the centre; 8, 8 and 3 voxels of padding precede
        # the volume. The last layer subtracts their sum from the squared radius.
        axes, weight = range(3), state["decoder.blocks.0.residual_mapping.weight"]
        weight[axes, axes] = 1
        bias = torch.tensor([-100.0, -100.0, -103.0, SQUARED_RADIUS**0.5])
        state["decoder.blocks.0.residual_mapping.bias"][:4] = bias
        state["decoder.blocks.0.final_activation.weight_numerator"][:] = torch.tensor([0.0, 0, 1, 0, 0, 0])
        state["decoder.final_mapping.0.weight"][0, :4] = torch.tensor([-1.0, -1, -1, 1])
        torch.save(state, path)

    return write


@pytest.fixture
def real_place(
    ball: Callable[..., None],
    real_gliomas: list[dict[str, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A tree of BraTS 2020 with two real validation cases, and checkpoints of networks that find a ball in each."""
    monkeypatch.chdir(tmp_path)
    for number, files in zip((1, 355), real_gliomas, strict=True):
        name = f"BraTS20_Training_{number:03d}"
        folder = tmp_path / "brats" / name
        folder.mkdir(parents=True)
        for kind, path in files.items():
            # This is how BraTS 2020 calls the label of case 355.
            stem = "W39_1998.09.19_Segm" if (number, kind) == (355, "seg") else f"{name}_{kind}"
            (folder / f"{stem}.nii.gz").symlink_to(path)
    for variant in ("o-net", "ossnet-c"):
        ball(tmp_path / "weights" / f"{variant}.pt", variant)
    return tmp_path


@pytest.fixture
def scores_of_ball(real_gliomas: list[dict[str, Path]]) -> dict[str, float]:
    """The mean Dice and IoU of the ball on the whole tumours of both cases."""
    squares = [(axis - centre) ** 2 for axis, centre in zip(np.indices((240, 240, 155)), CENTRE, strict=True)]
    ball = sum(squares) < SQUARED_RADIUS
    tumours = [np.asarray(nibabel.load(files["seg"]).dataobj) > 0 for files in real_gliomas]
    return {
        "dice": float(np.mean([2 * (ball & tumour).sum() / (ball.sum() + tumour.sum()) for tumour in tumours])),
        "iou": float(np.mean([(ball & tumour).sum() / (ball | tumour).sum() for tumour in tumours])),
    }


REAL_COMMAND = ["reproduce", "--data", "brats:brats", "--weights", "weights", "--device", "cpu"]


def test_locations_of_real_cases_are_scored_once(
    real_place: Path, scores_of_ball: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []

    def score(model: object, case: Case, *settings: object) -> pd.DataFrame:
        scored.append(case.name)
        if len(scored) == 3:
            raise KeyboardInterrupt
        return score_case_sampled(model, case, *settings)

    monkeypatch.setattr("benchmarks.scoring.reproduction.score_case_sampled", score)
    command = [*REAL_COMMAND, "--protocol", "paper", "released"]
    assert main(command) == 130
    assert main(command) == 0
    assert main(command) == 0
    # Two checkpoints and two cases, and the one that was interrupted.
    assert [name[-3:] for name in scored] == ["001", "001", "355", "355", "355"]
    numbers = read_numbers(real_place)
    published = read_published(PUBLISHED, "table2").set_index(["dataset", "model", "quantity"])["value"]
    for protocol, model, quantity in product(("paper", "released"), ("onet", "c"), ("dice", "iou")):
        row = numbers.loc[protocol, model, quantity]
        assert row["n"] == 2
        # About 130 of 2^17 locations are in both the ball and the tumour of a case: a standard deviation of 0.02.
        assert row["value"] == pytest.approx(scores_of_ball[quantity], abs=0.06)
        # Every network has the same locations.
        assert row["value"] == numbers.loc[protocol, "onet", quantity]["value"]
        assert row["published"] == published["brats", model, quantity]
    assert numbers.loc["paper", "c", "dice"]["value"] != numbers.loc["released", "c", "dice"]["value"]


def test_networks_of_the_papers_size_are_scored_on_real_cases(real_place: Path, ball: Callable[..., None]) -> None:
    (real_place / "weights" / "o-net.pt").unlink()
    command = [*REAL_COMMAND, "--protocol", "paper", "released", "--locations", str(2**13)]
    assert main(command) == 0
    small = read_numbers(real_place)["value"]
    ball(real_place / "weights" / "ossnet-c.pt", "ossnet-c", full=True)
    assert main(command) == 0
    assert len(list((real_place / "results" / "reproduction").iterdir())) == 2
    # The same ball is found with layers of any width.
    pd.testing.assert_series_equal(read_numbers(real_place)["value"], small)
    assert small["released", "c", "dice"] > 0.1


def test_every_voxel_of_real_cases_is_scored_once(
    real_place: Path, scores_of_ball: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    (real_place / "weights" / "ossnet-c.pt").unlink()
    segment = Mock(wraps=segment_case)
    monkeypatch.setattr("benchmarks.scoring.reproduction.segment_case", segment)
    command = [*REAL_COMMAND, "--protocol", "dense"]
    assert main(command) == 0
    assert main(command) == 0
    assert segment.call_count == 2
    numbers = read_numbers(real_place)
    for quantity, value in scores_of_ball.items():
        assert value > 0.2
        assert numbers.loc["dense", "onet", quantity]["value"] == pytest.approx(value, abs=1e-9)


def test_the_papers_models_in_function_space_are_the_rows() -> None:
    published = read_published(PUBLISHED, "table2")
    assert {model for (model,) in LAYOUT.rows} == {m for m in published["model"] if not m.startswith("unet")}


def test_contents_tell_a_checkpoint(half_space: Callable[[Path, str], Path], tmp_path: Path) -> None:
    half_space(tmp_path / "deep" / "epoch_49.pt", "ossnet-d")
    torch.save({"state": {}}, tmp_path / "optimizer.pt")
    (found,), (reason,) = find_checkpoints(tmp_path)
    assert (found.path.name, found.spec.model) == ("epoch_49.pt", "d")
    assert "optimizer.pt" in reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--data", "glioma"], "brats:FOLDER"),
        (["--data", "lits:brats"], "volume-0.nii"),
        (["--weights", "nowhere"], "nowhere is not a folder"),
        (["--weights", "brats"], "no released checkpoint for brats2020"),
        (["--locations", "0"], "--locations 0"),
        (["--extraction", "fast"], "'fast'"),
    ],
)
def test_a_users_mistake_is_one_line(
    changes: list[str],
    message: str,
    brats_release: Callable[[Path, Sequence[int]], Path],
    half_space: Callable[[Path, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    brats_release(tmp_path / "brats", [1])
    half_space(tmp_path / "weights" / "a.pt", "ossnet-a")
    assert main([*COMMAND, *changes]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_tree_without_validation_cases_is_refused(
    brats_release: Callable[[Path, Sequence[int]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    brats_release(tmp_path / "brats", [2])
    assert main(COMMAND) == 2
    assert "none of the validation cases" in capsys.readouterr().err
