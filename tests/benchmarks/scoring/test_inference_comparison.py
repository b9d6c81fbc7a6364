"""Comparisons of extractions, on balls whose answers are known, and what wrong priors do to the verdicts."""

import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from benchmarks.commands.claims import judge_claims
from benchmarks.report.score_records import collect
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run, write_json
from benchmarks.scoring.inference_comparison import (
    AnsweredField,
    InferenceComparison,
    answered_field,
    compare_extraction,
    prior_quality,
)
from benchmarks.scoring.scoring import Outcome
from benchmarks.studies.inference import EXTRACTIONS
from ossnet.config import plain
from ossnet.data.case import Case, Dataset
from ossnet.field import Grid, VoxelField
from ossnet.inference.extraction import EXTRACTORS, FirstState
from ossnet.training.run import RunSpec

EDGE = 33
"""An edge of which both readings of the up-sampling ask a prior of the same edge at whole voxels alone."""

Prior = Callable[[Tensor], Tensor]

PRIORS: dict[str, Prior] = {
    "right": lambda label: label,
    "inverted": lambda label: 1 - label,
    "shifted": lambda label: label.roll(8, dims=0),
    "full": torch.ones_like,
    "empty": torch.zeros_like,
}


class BallField(VoxelField):
    """The field of a label, and a prior made of it."""

    def __init__(self, label: Tensor, prior: Prior) -> None:
        super().__init__(label)
        self.prior: Any = prior(label)


def ball(centre: float, radius: float) -> np.ndarray:
    places = np.moveaxis(np.indices((EDGE, EDGE, EDGE)), 0, -1)
    return np.asarray(((places - centre) ** 2).sum(-1) < radius**2).astype(np.uint8)


def compare(name: str, prior: str) -> dict[str, float]:
    label = ball(16, 14)
    field = BallField(torch.from_numpy(label).float(), PRIORS[prior])
    return compare_extraction(name, EXTRACTORS[name](field, None, 2**14), field, Grid.over(field))


def test_an_original_inference_has_no_prior_and_is_not_compared_with_itself() -> None:
    values = compare("mise", "right")
    assert set(values) == {
        *("evaluated_locations", "evaluated_stage1", "evaluated_stage2", "evaluated_stage3"),
        "disagreement_released",
    }
    assert values["disagreement_released"] == 0
    assert values["evaluated_stage1"] == 9**3
    stages = sum(values[f"evaluated_stage{stage}"] for stage in (1, 2, 3))
    assert values["evaluated_locations"] == stages
    everything = compare("dense", "right")
    assert everything["evaluated_locations"] == EDGE**3
    disagreements = {name: value for name, value in everything.items() if name.startswith("disagreement")}
    assert disagreements == {f"disagreement_{name}": 0 for name in EXTRACTORS if name not in ("dense", "adaptive")}
    ours = compare("adaptive", "right")
    assert {name: value for name, value in ours.items() if name.startswith("disagreement")} == {
        "disagreement_mise": 0,
        "disagreement_released": 0,
        "disagreement_dense": 0,
    }
    # The ball is not small.
    assert np.isnan([ours["small_found_mise"], ours["small_found_adaptive"]]).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_known_labels_answer_as_the_field_does(classes: int) -> None:
    labels = torch.from_numpy(ball(10, 6) + (classes == 3) * ball(12, 9))[:24]
    probabilities = labels.float() if classes == 2 else torch.stack([labels == k for k in range(3)]).float()
    field: Any = VoxelField(0.9 * probabilities)
    field.prior = probabilities[..., ::4, ::4, ::4]
    shape = (30, 24, 20)
    # Flipped, transposed and cropped; outside the grid nothing is known.
    turned = Grid(shape, lambda indices: torch.tensor([23, 31, 2]) + torch.tensor([-1, -1, 1]) * indices[:, [1, 0, 2]])
    known = answered_field(field, turned, EXTRACTORS["dense"](field, turned, 1000).segmentation)
    assert isinstance(known, AnsweredField)
    for name in {*EXTRACTORS} - {"adaptive"}:  # It follows logits, not labels.
        first, second = (EXTRACTORS[name](each, turned, 1000) for each in (field, known))
        assert first.evaluated == second.evaluated
        assert torch.equal(first.segmentation, second.segmentation), name
    finer = Grid.over(field, (48, 66, 66))
    assert answered_field(field, finer, torch.zeros(finer.shape, dtype=torch.uint8)) is field


def test_a_right_prior_saves_what_each_reading_says() -> None:
    lattice = int(ball(16, 14)[::4, ::4, ::4].sum())
    original, text = compare("mise", "right"), compare("paper-prior", "right")
    assert text["evaluated_locations"] == original["evaluated_locations"] - lattice
    assert text["evaluated_stage1"] == 9**3 - lattice
    code = compare("released-prior", "right")
    assert code["evaluated_stage1"] == lattice
    for values in (text, code):
        assert (values["prior_precision"], values["prior_recall"]) == (1, 1)
    assert text["disagreement_mise"] == 0
    assert code["disagreement_released"] == 0


def test_a_wrong_prior_is_charged_where_it_is_wrong() -> None:
    label = ball(16, 14)
    inside, outside = (100 * float((label == value).mean()) for value in (1, 0))
    # By the text the outside is taken to be occupied, and the inside is found to be; by the code only the outside is
    # evaluated, and nothing is found.
    for name, wrong in (("paper-prior", outside), ("released-prior", inside)):
        values = compare(name, "inverted")
        assert (values["prior_precision"], values["prior_recall"]) == (0, 0)
        assert values["disagreement_mise"] == pytest.approx(wrong)
    # A surface that is not there takes evaluations, too.
    shifted = compare("paper-prior", "shifted")
    assert shifted["evaluated_locations"] > compare("mise", "shifted")["evaluated_locations"]
    wrong = int((label.astype(int) < np.roll(label, 8, axis=0))[::4, ::4, ::4].sum())
    assert shifted["disagreement_mise"] == pytest.approx(100 * wrong / EDGE**3)
    assert compare("dense", "shifted")["disagreement_paper-prior"] == shifted["disagreement_mise"]
    # An empty one has no precision.
    assert np.isnan(compare("paper-prior", "empty")["prior_precision"])


def test_precision_and_recall_by_hand() -> None:
    decoder = torch.zeros(3, 2, 2)
    decoder[0, 1] = 1
    decoder[2, 1, 1] = 1
    field = VoxelField(decoder)
    # At the four points it is 1, 1 and 0, 1. The prior marks the first and the third.
    axes = torch.tensor([0, 2]), torch.tensor([1]), torch.tensor([0, 1])
    state = FirstState(axes, torch.tensor([[[1, 0]], [[1, 0]]], dtype=torch.uint8))
    assert prior_quality(state, field, Grid.over(field), 3) == {"prior_precision": 1 / 2, "prior_recall": 1 / 3}


class BallModel(nn.Module):
    """Sees a case's label in its image."""

    def __init__(self, prior: str) -> None:
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))
        self.make = PRIORS[prior]

    def place(self, image: np.ndarray) -> Tensor:
        return torch.from_numpy(image)

    def field(self, image: Tensor) -> BallField:
        return BallField((image[0] > 0.5).float(), self.make)


def ball_case(name: str) -> Case:
    label = ball(16, 14)
    return Case(name, label[None].astype(np.float32), label, np.diag([-1.0, -1.0, 1.0, 1.0]), ("ct",))


BALLS = Dataset("glioma", ("ct",), {"train": (), "validation": (), "test": ("x", "y")}, ball_case, "")

Scored = Callable[[str], tuple[Path, Mapping[str, Outcome]]]


@pytest.fixture(scope="module")
def scored(tiny_spec: Callable[..., RunSpec], tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Score every extraction of a model with a prior: return the results folder, with records, and the outcomes.

    Both seeds have the same model, so that one is scored for both.
    """
    preprocessing = {"shape": [EDGE] * 3, "fit": "pad", "normalise": "none"}
    specs = [tiny_spec("c", seed, {"preprocessing": preprocessing}) for seed in (0, 1)]

    @cache
    def score(prior: str) -> tuple[Path, Mapping[str, Outcome]]:
        model: Any = BallModel(prior)
        results = tmp_path_factory.mktemp(prior)
        runs, outcomes = [], {}
        # The study, on which verdicts are given, has no adaptive extraction.
        for name in EXTRACTORS if prior == "right" else EXTRACTIONS:
            scorings = [InferenceComparison(spec, name) for spec in specs]
            both = [Run(results / f"{name}-{seed}", "c", seed, {"extraction": name}) for seed in (0, 1)]
            for run, scoring in zip(both, scorings, strict=True):
                run.prepare(plain(scoring), {})
            outcomes[name] = scorings[0].score(model, BALLS, results, both[0].folder)
            shutil.copy(both[0].folder / "per_case.csv", both[1].folder)
            for run in both:
                write_json(run.folder / "result.json", outcomes[name].result)
            runs += both
        collect(Plan("inference", "glioma", "laptop", tuple(runs))).write(results / "records")
        return results, outcomes

    return score


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_case_is_measured(name: str, scored: Scored) -> None:
    results, outcomes = scored("right")
    assert outcomes[name].result == {"protocol": "dense"}
    assert outcomes[name].timing["extraction_s_median"] > 0
    assert outcomes[name].memory["resident_bytes"]
    rows = pd.read_csv(results / f"{name}-0" / "per_case.csv").set_index(["case", "quantity"])
    assert set(rows.index.get_level_values("case")) == {"x", "y"}
    expected = compare(name, "right")
    assert rows.loc[("x", "evaluated_locations"), "value"] == expected["evaluated_locations"]
    assert rows.loc[("x", "dice"), "value"] == pytest.approx(1, abs=0.01)
    assert rows.loc[("x", "lesions_found_large"), "value"] == 1
    assert np.isnan(rows.loc[("x", "lesions_found_small"), "value"])


def test_an_unknown_extraction_is_refused(tiny_spec: Callable[..., RunSpec]) -> None:
    with pytest.raises(ValueError, match="extraction 'prior' is none of dense, mise, paper-prior"):
        InferenceComparison(tiny_spec(), "prior")


DISAGREE, LESS = "inferences-disagree-little", "improved-inference-evaluates-less"
RETAINS = "improved-inference-retains-dice"


@pytest.mark.parametrize(
    ("prior", "verdicts"),
    [
        (
            "right",
            {f"{claim}-{reading}": "holds" for claim in (DISAGREE, LESS, RETAINS) for reading in ("text", "code")},
        ),
        (
            "inverted",
            {f"{claim}-{reading}": "does not hold" for claim in (DISAGREE, RETAINS) for reading in ("text", "code")},
        ),
        ("shifted", {f"{DISAGREE}-text": "does not hold", f"{LESS}-text": "does not hold"}),
        ("full", {f"{LESS}-code": "does not hold", f"{DISAGREE}-text": "does not hold", f"{DISAGREE}-code": "holds"}),
        ("empty", {f"{DISAGREE}-text": "holds", f"{LESS}-text": "does not hold", f"{DISAGREE}-code": "does not hold"}),
    ],
)
def test_a_wrong_prior_flips_the_verdicts(prior: str, verdicts: dict[str, str], scored: Scored) -> None:
    """From fields that are known through records to the judge."""
    results, _ = scored(prior)
    found = judge_claims(results, "laptop", None, results / "no-reference").set_index("claim")["verdict"]
    assert found[list(verdicts)].to_dict() == verdicts
