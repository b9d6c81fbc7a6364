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


def test_every_modality_and_label_is_shown_under_its_name_and_ct_through_the_abdominal_window() -> None:
    glioma = case(("flair", "t1", "t1ce", "t2"), (2, 4, 1), 1)
    figure = draw([glioma], [case(("ct",), (1, 2), 900)] * 3)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["flair", "t1", "t1ce", "t2", "flair, label", *["CT", "CT, label"] * 3]
    pictures = [image.get_array() for axes in figure.axes for image in axes.get_images()]
    assert all(picture.max() <= CT_WINDOW_HU[1] for picture in pictures)
    # The core is outlined beside the filled whole.
    label, plain = figure.axes[4], figure.axes[0]
    assert len(label.collections) == 3
    assert not plain.collections
