"""Names, colours and files of figures."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.names import KNOWN_NAMES
from paper_figures.style import MODEL_COLOURS, MODEL_MARKERS, save


def test_every_model_has_a_look_of_its_own_and_those_of_one_kind_share_a_colour() -> None:
    assert set(MODEL_COLOURS) == set(MODEL_MARKERS) == set(KNOWN_NAMES)
    assert len({(MODEL_COLOURS[model], MODEL_MARKERS[model]) for model in KNOWN_NAMES}) == len(KNOWN_NAMES)
    slices = {MODEL_COLOURS[f"unet2d-{axis}"] for axis in ("height", "width", "depth")}
    assert len(slices) == 1
    assert len(set(MODEL_COLOURS.values())) == len(MODEL_COLOURS) - 2


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1], [1, 0])
    for stem in ("first", "second"):
        save(figure, tmp_path / stem)
    for suffix in (".pdf", ".png"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()
