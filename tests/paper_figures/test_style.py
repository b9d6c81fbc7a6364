"""Names, colours and files of figures."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.names import model_name
from paper_figures.style import MODEL_COLOURS, save


def test_models_have_the_papers_names() -> None:
    assert model_name("c") == "OSS-Net C"
    assert model_name("somebody-elses") == "somebody-elses"


def test_models_of_one_kind_share_a_colour_and_no_others_do() -> None:
    slices = {MODEL_COLOURS[f"unet2d-{axis}"] for axis in ("height", "width", "depth")}
    assert len(slices) == 1
    assert len(set(MODEL_COLOURS.values())) == len(MODEL_COLOURS) - 2


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    figure = Figure()
    figure.subplots().plot([0, 1], [1, 0])
    for stem in ("first", "second"):
        save(figure, tmp_path / stem)
    for suffix in (".pdf", ".png"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()
