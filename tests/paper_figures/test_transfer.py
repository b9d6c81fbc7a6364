"""The figure of a transfer, with images of its cases and without."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.report.score_records import Records
from ossnet.errors import UserError
from paper_figures.transfer import draw, load_image, pictures, read_transfer

LABEL = np.zeros((12, 14, 9), dtype=bool)
LABEL[3:8, 4:9, 2:6] = True


def records(*rows: tuple[str, str, str, int, dict[str, float]]) -> Records:
    made = [
        {"study": "transfer", "dataset": "glioma-to-real", "profile": "laptop", "model": model, "seed": seed}
        | {"columns": {"trained_on": on, "cases": cases}, "result": {"protocol": "dense"}, "scores": {"dice": dice}}
        for model, on, cases, seed, dice in rows
    ]
    return Records("transfer", "glioma-to-real", "laptop", tuple(made))


RECORDS = records(
    ("c", "glioma", "glioma", 0, {"g": 0.8}),
    ("c", "glioma", "real", 0, {"x": 0.2, "y": 0.4}),
    ("c", "glioma", "glioma", 1, {"g": 0.6}),
    ("c", "glioma", "real", 1, {"x": 0.4, "y": 0.6}),
    ("c", "real", "real", 0, {"y": 0.9}),
)


def write_image(folder: Path) -> Path:
    path = folder / "images" / "transfer-glioma-to-real-laptop-x.npz"
    path.parent.mkdir(parents=True)
    image = LABEL + np.random.default_rng(0).random(LABEL.shape)
    models, on = np.array(["c"]), np.array(["glioma"])
    texts = {"case": np.array("x"), "modality": np.array("flair"), "models": models, "trained_on": on}
    np.savez(path, **texts, image=image, label=LABEL, predictions=LABEL[None], affine=np.diag([-1.0, -1.0, 2.0, 1.0]))
    return path


def test_each_case_has_the_dice_of_every_seed_and_the_own_mean() -> None:
    content = read_transfer(RECORDS)
    figure = draw(content)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["x", "y"]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["OSS-Net C, glioma", "OSS-Net C, real"]
    assert all(axes.get_xlabel().startswith("Dice") for axes in panels)
    drawn = sorted(float(value) for line in panels[0].lines for value in line.get_xdata() if value == value)
    assert drawn == pytest.approx([0.2, 0.3, 0.4, 0.7])
    assert [text.get_text() for text in panels[0].texts] == ["learned from it"]


def test_a_case_without_a_score_says_why() -> None:
    more = records(
        ("c", "glioma", "glioma", 0, {"g": 0.8, "h": float("nan")}),
        ("c", "glioma", "real", 0, {"x": float("nan"), "y": 0.4}),
        ("unet3d", "glioma", "glioma", 0, {"g": 0.7}),
        ("c", "real", "real", 0, {"y": 0.9}),
    )
    content = read_transfer(more)
    assert content.own == pytest.approx({("c", "glioma"): 0.8, ("unet3d", "glioma"): 0.7})
    panels = [axes for axes in draw(content).axes if axes.get_title()]
    assert [[text.get_text() for text in axes.texts] for axes in panels] == [
        ["undefined", "failed", "learned from it"],
        ["failed"],
    ]


def test_a_case_with_an_image_is_drawn_with_its_outlines(tmp_path: Path) -> None:
    RECORDS.write(tmp_path)
    (without,) = pictures(tmp_path, None)
    assert not any(axes.images for axes in without.draw().axes)
    write_image(tmp_path)
    (picture,) = pictures(tmp_path, None)
    assert [source.suffix for source in picture.sources] == [".jsonl", ".npz"]
    figure = picture.draw()
    (shown,) = [axes for axes in figure.axes if axes.images]
    assert len(shown.collections) == 3  # The label, filled and outlined, and one prediction.


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = write_image(tmp_path)
    assert load_image(path)[0] == "x"
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="laptop-x"):
        load_image(path)
