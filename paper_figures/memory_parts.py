"""What the peaks of Table 3 are made of: parameters, optimiser, activations of each part, and the rest."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.markup import power_of_two
from benchmarks.names import MODEL_NAMES
from benchmarks.probes.records import GIGABYTE
from paper_figures.panels import ANY, PAPER
from paper_figures.picture import Picture
from paper_figures.probes import DATASET_NAMES, figure_of_probes, handles_of
from paper_figures.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PAGE_WIDTH_IN,
    PURPLE,
    SKY_BLUE,
    VERMILION,
    YELLOW,
    model_name,
    settings,
)

PARTS = {
    "parameters": ("parameters", BLACK),
    "gradients": ("their gradients", "0.45"),
    "optimizer_state": ("optimiser's state", "0.75"),
    "inputs": ("inputs", YELLOW),
    "encoder": ("made by the encoder", BLUE),
    "patches": ("patches and their volume", SKY_BLUE),
    "patch_encoder": ("made by the patch encoder", SKY_BLUE),
    "decoder": ("made by the decoder", GREEN),
    "unet": ("made by the U-Net", PURPLE),
    "backward": ("made going backward", ORANGE),
    "workspace": ("convolutions' workspace", VERMILION),
    "predictions": ("predictions of all voxels", PURPLE),
    "other": ("other", "0.9"),
}
"""Label and colour by part of `ossnet.memory.footprint.Footprint.by_part`, from the left; what is not here is
`other`."""

HATCHES = {"patches": "/////", "predictions": "/////"}
"""By part: these have the colour of the network that reads them or makes them."""

HATCHED: dict[str, Any] = {"edgecolor": "white", "linewidth": 0}

IMPLEMENTATIONS = {"suite": "this suite", "released": "the code behind the paper's table"}
PHASES = ("training", "inference")


def pictures(rows: pd.DataFrame, sources: Sequence[Path]) -> list[Picture]:
    """One for each implementation that was predicted."""
    predicted = rows[(rows["kind"] == "predicted") & (rows["batch_size"] == 1) & rows["by_part"].notna()]
    return [
        Picture(f"memory_parts-{name}", partial(draw, predicted[predicted["implementation"] == name]), sources)
        for name in IMPLEMENTATIONS
        if name in set(predicted["implementation"])
    ]


def draw(rows: pd.DataFrame) -> Figure:
    """A row of panels for each data set: training and inference, a bar for each model with the paper's number on it.

    Of a model at several resolutions the lowest is shown, since the 3-D U-Net would dwarf the others at 512^3, and the
    fewest locations.

    Args:
        rows: of `paper_figures.probes.read_probes`, predicted for one implementation.
    """
    datasets = rows["dataset"].unique()
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.9 + 2.5 * len(datasets)), layout="constrained")
        figure.suptitle(f"Predicted peak of one sample: {IMPLEMENTATIONS[rows['implementation'].iloc[0]]}")
        grid = figure.subplots(len(datasets), len(PHASES), sharey="row", squeeze=False)
        for panels, dataset in zip(grid, datasets, strict=True):
            of_dataset = rows[rows["dataset"] == dataset].sort_values(["edge", "locations"])
            models = [model for model in MODEL_NAMES if model in set(of_dataset["model"])]
            shown = of_dataset.drop_duplicates(["model", "phase"])
            usual = shown["resolution"].mode().iloc[0]
            for axes, phase in zip(panels, PHASES, strict=True):
                of_phase = shown[shown["phase"] == phase].set_index("model")
                axes.set_title(f"{DATASET_NAMES[dataset]} {usual}, {phase}{_locations_text(of_phase)}")
                axes.set_xlabel("GB of 10⁹ bytes")
                for place, model in enumerate(models):
                    if model in of_phase.index:
                        _draw_bar(axes, place, of_phase.loc[model])
                axes.set_xlim(right=1.12 * axes.get_xlim()[1])
            lowest = shown.drop_duplicates("model").set_index("model")["resolution"]
            remarks = {model: f"\nat {lowest[model]}" if lowest[model] != usual else "" for model in models}
            panels[0].set_yticks(
                range(len(models)), [model_name(model).replace(", ", "\n") + remarks[model] for model in models]
            )
            panels[0].set_ylim(len(models) - 0.5, -0.5)
        patches = [
            Patch(facecolor=colour, label=label, hatch=HATCHES.get(part), **HATCHED)
            for part, (label, colour) in PARTS.items()
        ]
        handles = [*patches, *handles_of({"paper, Table 3": ANY | PAPER})]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


MEMORY_PARTS = figure_of_probes("table3", "memory_parts", pictures)


def _locations_text(rows: pd.DataFrame) -> str:
    locations = rows["locations"].dropna()
    return f", {power_of_two(int(locations.min()))} locations" if len(locations) else ""


def _draw_bar(axes: Axes, place: int, number: pd.Series) -> None:
    parts = dict.fromkeys(PARTS, 0.0)
    for part, size in number["by_part"].items():
        parts[part if part in PARTS else "other"] += size / GIGABYTE
    ends = np.cumsum(list(parts.values()))
    colours = [colour for _, colour in PARTS.values()]
    hatches = [HATCHES.get(part, "") for part in PARTS]
    starts = ends - list(parts.values())
    axes.barh(place, list(parts.values()), 0.7, left=starts, color=colours, hatch=hatches, **HATCHED)
    axes.plot(number["published_bytes"] / GIGABYTE, place, color=BLACK, **PAPER | {"marker": "o"})
    axes.annotate(
        f"{ends[-1]:.2f}",
        (max(ends[-1], number["published_bytes"] / GIGABYTE), place),
        (6, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
    )
