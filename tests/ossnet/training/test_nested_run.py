"""Runs of models with nested regions: trained, validated, loaded and segmented with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ossnet.data.case import Case, Dataset
from ossnet.data.prepared import PreparedCase
from ossnet.errors import UserError
from ossnet.evaluation.evaluation import evaluate_run, segment_case
from ossnet.inference.extraction import EXTRACTORS
from ossnet.model import ModelConfig, SegmentationModel
from ossnet.training import run
from ossnet.training.loop import EpochReport
from ossnet.training.profile import load_profile
from ossnet.training.run import load_run, train_run
from ossnet.training.validation import Validation, score

SHAPE = (16, 16, 16)
MakeSettings = Callable[[str], dict[str, Any]]
GradedModel = type[SegmentationModel]


def tumour(shift: int) -> Case:
    """Three boxes within each other, stored as 2 around 1 around 4, brighter inwards."""
    label = np.zeros(SHAPE, np.uint8)
    for value, edge in ((2, 2), (1, 4), (4, 6)):
        label[shift + edge : 14 - edge + shift, edge : 15 - edge, edge : 15 - edge] = value
    depth = np.array([0, 2, 1, 0, 3])[label]
    noise = np.random.default_rng(shift).normal(0, 0.1, SHAPE)
    return Case(f"{shift}", (depth + noise)[None].astype(np.float32), label, np.diag([-1.0, -1, 1, 1]), ("t1",))


CASES = Dataset(
    "tumours", ("t1",), {"train": ("0", "1"), "validation": ("2",), "test": ("1",)}, lambda name: tumour(int(name)), "f"
)


def spec_of(model: str, tiny: MakeSettings, **recipe: Any) -> run.RunSpec:
    settings = tiny(model)
    settings["preprocessing"] = {"shape": SHAPE, "fit": "none", "regions": "brats"}
    settings["recipe"] = settings["recipe"] | {"epochs": 4, "steps_per_epoch": 4, **recipe}
    settings["recipe"]["optimization"] = {"learning_rate": 0.02}
    return load_profile("laptop").spec(model, CASES, 0, settings)


@pytest.mark.parametrize(
    ("model", "recipe"),
    [
        ("c", {"sampling": {"strategy": "confidence", "count": 256, "memory_cell": 4}}),
        ("c", {"memory": "lean"}),
        ("unet3d", {}),
        ("unet2d-depth", {}),
    ],
    ids=str,
)
def test_a_run_writes_labels_of_nested_regions(
    model: str, recipe: dict[str, Any], tiny: MakeSettings, tmp_path: Path
) -> None:
    spec = spec_of(model, tiny, **recipe)
    history: list[EpochReport] = train_run(
        spec, CASES, tmp_path / "run", tmp_path / "cache", torch.device("cpu"), lambda *_: None
    )
    assert history[-1].loss < history[0].loss
    assert history[-1].dice is not None
    loaded, again = load_run(tmp_path / "run")
    assert again == spec
    assert (loaded.config.nested, loaded.config.classes, loaded.config.outputs) == (True, 4, 3)
    assert "nested" not in spec.network
    case = tumour(1)
    segmentations = [
        segment_case(loaded, case, spec.preprocessing, loaded.extraction, count).segmentation for count in (4096, 300)
    ]
    assert torch.equal(*segmentations)
    stored = spec.preprocessing.stored(segmentations[0].numpy())
    assert set(np.unique(stored)) <= {0, 1, 2, 4}
    scores = evaluate_run(loaded, spec.preprocessing, ("t1",), CASES, "test", loaded.extraction, 4096)
    assert scores["class"].unique().tolist() == ["mean", "whole tumour", "tumour core", "enhancing tumour"]


def test_stored_labels_come_back_exactly(tiny: MakeSettings, graded_model: GradedModel) -> None:
    preprocessing = spec_of("c", tiny, memory="plain").preprocessing
    model = graded_model(ModelConfig(SHAPE, 1, 4, nested=True))
    case = tumour(1)
    depth = np.array([0, 2, 1, 0, 3], np.float32)[case.label]
    for name in ("dense", "mise", "released", "adaptive"):
        assert name in EXTRACTORS
        plainly = Case("x", depth[None], case.label, case.affine, ("t1",))
        raw = run.build(type(preprocessing), run.plain(preprocessing) | {"normalise": "none"}, "test")
        segmentation = segment_case(model, plainly, raw, name).segmentation
        np.testing.assert_array_equal(raw.stored(segmentation.numpy()), case.label)


def test_validation_scores_the_regions(graded_model: GradedModel) -> None:
    """The core is missed: it counts as the outer region, whose Dice is 1."""
    label = torch.zeros(SHAPE, dtype=torch.uint8)
    label[:8], label[:4] = 1, 2
    image = torch.where(label > 0, 1.0, 0.0)[None]
    case = PreparedCase("x", image, label, None, np.eye(4), (1, 1, 1))
    model = graded_model(ModelConfig(SHAPE, 1, 4, nested=True))
    for validation in (Validation(protocol="dense"), Validation(locations=3000)):
        # Dice is 1 of the outer region, 0 of the second, and not defined for the third.
        assert score(model, [case], 4, validation, nested=True)["x"] == {"dice": 0.5, "iou": 0.5}


def test_brats_is_meant_as_the_data_set_stores_it(tiny: MakeSettings) -> None:
    settings = tiny("c")
    settings["preprocessing"] = settings["preprocessing"] | {"regions": "brats"}
    for name, values in (("brats2020", (0, 2, 1, 4)), ("brats2023", (0, 2, 1, 3))):
        spec = load_profile("laptop").spec("c", replace(CASES, name=name), 0, settings)
        assert spec.preprocessing.label_values == values


def test_a_model_without_nested_regions_refuses_them(
    tiny: MakeSettings, graded_model: GradedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "model_type", lambda _: graded_model)
    with pytest.raises(UserError, match="model c has no nested regions"):
        _ = spec_of("c", tiny, memory="plain").config
