"""Composition of the peaks of Table 3: parameters, optimiser, activations of each part, and the rest."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.markup import power_of_two
from benchmarks.names import MODEL_NAMES
from benchmarks.probes.records import GIGABYTE
from paper_figures.panels import NEUTRAL, PAPER
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
    settings,
    wrapped_name,
)

PARTS = {
    "parameters": ("parameters", BLACK),
    "gradients": ("parameter gradients", "0.45"),
    "optimizer_state": ("optimiser state", "0.75"),
    "inputs": ("inputs", YELLOW),
    "encoder": ("encoder tensors", BLUE),
    "patches": ("patches and their volumes", SKY_BLUE),
    "patch_encoder": ("patch encoder tensors", SKY_BLUE),
    "decoder": ("decoder tensors", GREEN),
    "unet": ("U-Net tensors", PURPLE),
    "backward": ("backward pass tensors", ORANGE),
    "workspace": ("convolution workspace", VERMILION),
    "predictions": ("predictions of all voxels", PURPLE),
    "other": ("other", "0.9"),
}
"""Label and colour by part of `ossnet.memory.footprint.Footprint.by_part`, from the left; unlisted parts count as
`other`."""

HATCHES = {"patches": "/////", "predictions": "/////"}
"""Hatches by part: these parts have the colour of the network that reads or makes them."""

HATCHED: dict[str, Any] = {"edgecolor": "white", "linewidth": 0}

IMPLEMENTATIONS = {"suite": "this suite", "released": "the code behind the paper's Table 3"}
PHASES = ("training", "inference")


def by_implementation(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the predictions of each implementation for one sample."""
    predicted = rows[(rows["kind"] == "predicted") & (rows["batch_size"] == 1) & rows["by_part"].notna()]
    return {
        f"-{name}": predicted[predicted["implementation"] == name]
        for name in IMPLEMENTATIONS
        if name in set(predicted["implementation"])
    }


def draw(rows: pd.DataFrame) -> Figure:
    """Draw training and inference of each data set: a bar for each model, with a marker at the paper's number.

    Each model is shown at its lowest resolution, since the 3-D U-Net would dwarf the others at 512^3, and with its
    fewest locations.

    Args:
        rows: rows of `by_implementation` for one implementation.
    """
    datasets = rows["dataset"].unique()
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.9 + 2.5 * len(datasets)), layout="constrained")
        figure.suptitle(f"Predicted peak memory for one sample: {IMPLEMENTATIONS[rows['implementation'].iloc[0]]}")
        grid = figure.subplots(len(datasets), len(PHASES), sharey="row", squeeze=False)
        for panels, dataset in zip(grid, datasets, strict=True):
            of_dataset = rows[rows["dataset"] == dataset].sort_values(["edge", "locations"])
            models = [model for model in MODEL_NAMES if model in set(of_dataset["model"])]
            shown = of_dataset.drop_duplicates(["model", "phase"])
            usual = shown["resolution"].mode().iloc[0]
            for axes, phase in zip(panels, PHASES, strict=True):
                of_phase = shown[shown["phase"] == phase].set_index("model")
                axes.set_title(f"{DATASET_NAMES[dataset]} {usual}, {phase}{_locations_text(of_phase)}")
                axes.set_xlabel("Memory (GB, 10⁹ bytes)")
                for place, model in enumerate(models):
                    if model in of_phase.index:
                        _draw_bar(axes, place, of_phase.loc[model])
                axes.set_xlim(right=1.12 * axes.get_xlim()[1])
            lowest = shown.drop_duplicates("model").set_index("model")["resolution"]
            remarks = {model: f"\nat {lowest[model]}" if lowest[model] != usual else "" for model in models}
            panels[0].set_yticks(range(len(models)), [wrapped_name(model) + remarks[model] for model in models])
            panels[0].set_ylim(len(models) - 0.5, -0.5)
        patches = [
            Patch(facecolor=colour, label=label, hatch=HATCHES.get(part), **HATCHED)
            for part, (label, colour) in PARTS.items()
        ]
        handles = [*patches, *handles_of({"paper, Table 3": NEUTRAL | PAPER})]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


MEMORY_PARTS = figure_of_probes("memory_parts", "table3", draw, by_implementation)


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
    axes.plot(number["published_gigabytes"], place, color=BLACK, **PAPER | {"marker": "o"})
    axes.annotate(
        f"{ends[-1]:.2f}",
        (max(ends[-1], number["published_gigabytes"]), place),
        (6, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
    )
