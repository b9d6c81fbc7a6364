"""The picture of the embedded cases."""

import numpy as np

from ossnet.data.case import Case
from paper_figures.cases import CT_WINDOW_HU, draw

SHAPE = (16, 20, 12)


def case(modalities: tuple[str, ...], values: tuple[int, ...], low: float) -> Case:
    label = np.zeros(SHAPE, np.uint8)
    for depth, value in enumerate(values):
        label[4 + depth : 12 - depth, 5 + depth : 15 - depth, 3:9] = value
    image = np.stack([np.where(label > 0, low + 100, low) + np.arange(SHAPE[2]) for _ in modalities])
    return Case("case", image.astype(np.float32), label, np.diag([-3.0, -3.0, 3.0, 1.0]), modalities)


def test_every_modality_and_label_is_shown_under_its_name():
    glioma = case(("flair", "t1", "t1ce", "t2"), (2, 4, 1), 1)
    livers = [case(("ct",), (1, 2), -50)] * 3
    figure = draw([glioma], livers)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["flair", "t1", "t1ce", "t2", "flair, label", *["CT", "CT, label"] * 3]


def test_ct_is_seen_through_the_abdominal_window():
    bright = case(("ct",), (1,), 900)
    figure = draw([], [bright])
    pictures = [image.get_array() for axes in figure.axes for image in axes.get_images()]
    assert all(picture.max() <= CT_WINDOW_HU[1] for picture in pictures)


def test_the_core_is_outlined_besides_the_filled_whole():
    figure = draw([case(("flair", "t1", "t1ce", "t2"), (2, 4), 1)], [])
    label, plain = figure.axes[4], figure.axes[0]
    assert len(label.collections) == 3
    assert not plain.collections
