"""Style of all figures: sizes, colours that the colour-blind can tell apart, model names, and saving."""

from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from benchmarks.names import model_name
from ossnet.files import replacing

PAGE_WIDTH_IN = 7.2
"""Width of a figure that spans the text of a page, in inches."""

# The palette of Okabe and Ito (2008).
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"

# Beyond the palette, dark and light enough to be told from its colours.
WINE = "#882255"
GREY = "#999999"
OLIVE = "#686830"

LABEL_COLOUR = SKY_BLUE
PREDICTION_COLOUR = ORANGE

MODEL_COLOURS = {
    "unet3d": BLACK,
    "unet2d-height": SKY_BLUE,
    "unet2d-width": SKY_BLUE,
    "unet2d-depth": SKY_BLUE,
    "onet": PURPLE,
    "a": ORANGE,
    "b": VERMILION,
    "c": GREEN,
    "d": BLUE,
    "iosnet": OLIVE,
    "hnoseg-xs": WINE,
    "segresnet": GREY,
}
"""One colour per kind of model; the slice orientations share theirs and differ by `MODEL_MARKERS`.

Yellow has none: hollow markers and intervals in it are hardly seen on white.
"""

MODEL_MARKERS = {
    "unet3d": "o",
    "unet2d-height": "^",
    "unet2d-width": ">",
    "unet2d-depth": "v",
    "onet": "s",
    "a": "o",
    "b": "D",
    "c": "P",
    "d": "X",
    "iosnet": "p",
    "hnoseg-xs": "h",
    "segresnet": "d",
}


def wrapped_name(model: str) -> str:
    """Return a model's name with a line for the orientation of its slices."""
    return model_name(model).replace(", ", "\n")


def model_look(model: str) -> tuple[str, str]:
    """Return a model's colour and marker; a black star for a model that is not of the suite."""
    return MODEL_COLOURS.get(model, BLACK), MODEL_MARKERS.get(model, "*")


def settings() -> AbstractContextManager[None]:
    """Return a context with the settings of matplotlib to draw and to save a figure with."""
    return matplotlib.rc_context(
        {
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.labelsize": 8,
            "legend.fontsize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "savefig.dpi": 300,
            # Text stays text that a reader can search and an editor can change.
            "pdf.fonttype": 42,
        }
    )


def save(figure: Figure, stem: str | Path) -> None:
    """Write `stem`.pdf, then `stem`.png (300 dpi), each whole or not at all; the same figure gives the same bytes.

    Raises:
        UserError: a file cannot be written.
    """
    undated: dict[str, dict[str, None]] = {".pdf": {"CreationDate": None}, ".png": {"Software": None}}
    with settings():
        for suffix, metadata in undated.items():
            with replacing(f"{stem}{suffix}") as temporary:
                figure.savefig(temporary, metadata=metadata)
