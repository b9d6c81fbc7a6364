"""A transfer to other cases: for each case a slice with the outlines of every model, and Dice by model and seed."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.names import model_name
from benchmarks.report.score_records import Records, read_records, scores_of
from benchmarks.report.transfer_table import FOLDER, STUDY
from ossnet.errors import UserError
from paper_figures.panels import MEAN, NEUTRAL, PAPER, SEED, axis_label, draw_number
from paper_figures.picture import PaperFigure, Picture, RecordFiles
from paper_figures.style import PAGE_WIDTH_IN, YELLOW, model_look, settings
from paper_figures.volumes import axial_slices, draw_outline, draw_slice

Group = tuple[str, str]
"""What was trained, the name of a model, and on what."""

DRAWN_CASES = 6
"""Number of cases in a figure."""

Style = Literal["solid", "dashed", "dotted"]
"""Line style of an outline."""

STYLES: Sequence[Style] = ("solid", "dashed", "dotted")
"""Outlines by what a model was trained on, in the order of the records."""

LABEL_COLOUR = YELLOW
"""Colour of labels, which none of the models of Table 2 has."""

SEED_SHIFT = 0.22


class CaseImage(NamedTuple):
    """An axial slice of a case, with masks.

    Attributes:
        modality: modality of the image.
        picture: image [y, x].
        pixel_mm: its pixel size (y, x) in mm.
        label: label [y, x] bool.
        predictions: mask [y, x] bool by group.
    """

    modality: str
    picture: np.ndarray
    pixel_mm: tuple[float, float]
    label: np.ndarray
    predictions: Mapping[Group, np.ndarray]


@dataclass(frozen=True, eq=False)
class Transferred:
    """Scores of a transfer, and the images that there are.

    Attributes:
        title: title of the figure.
        source: data set of the trainings.
        groups: what was trained, in the order of the records.
        own: mean Dice on the test cases of the source by group; NaN where it was not scored.
        dice: Dice by case and group, one number per seed; NaN where it is undefined.
        images: image by case, for the cases whose image there is.
    """

    title: str
    source: str
    groups: Sequence[Group]
    own: Mapping[Group, float]
    dice: Mapping[str, Mapping[Group, Sequence[float]]]
    images: Mapping[str, CaseImage]


def read_transfer(records: Records, images: Sequence[Path] = ()) -> Transferred:
    """Return what the records of a transfer and the images of its cases hold."""
    scores = scores_of([records])
    dice = scores[scores["quantity"] == "dice"] if len(scores) else scores
    source = str(records.rows[0]["columns"]["trained_on"])
    by_case: dict[str, dict[Group, list[float]]] = {}
    groups: dict[Group, None] = {}
    of_source: dict[Group, list[float]] = {}
    for row in dice.to_dict("records"):
        group = row["model"], row["trained_on"]
        groups.setdefault(group)
        of_case = of_source if row["cases"] == source else by_case.setdefault(row["case"], {})
        of_case.setdefault(group, []).append(row["value"])
    own = {group: float(pd.Series(values).mean()) for group, values in of_source.items()}  # Of the valid ones.
    shown = dict(list(by_case.items())[:DRAWN_CASES])
    title = f"Models trained on {source}, applied to other cases; profile {records.profile}"
    found = dict(load_image(path) for path in images)
    return Transferred(title, source, tuple(groups), own, shown, {case: found[case] for case in shown if case in found})


def load_image(path: Path) -> tuple[str, CaseImage]:
    """Read the image of a case that `benchmarks.commands.transfer` has written; return the case's name and the image.

    Raises:
        UserError: the file cannot be read, or its arrays do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            masks = np.concatenate([file["label"][None], file["predictions"]])
            picture, (label, *slices), pixel_mm = axial_slices(file["image"], masks, file["affine"])
            groups = [(str(model), str(on)) for model, on in zip(file["models"], file["trained_on"], strict=True)]
            predictions = dict(zip(groups, slices, strict=True))
            return str(file["case"]), CaseImage(str(file["modality"]), picture, pixel_mm, label, predictions)
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        raise UserError(f"cannot draw the case in {path}: {error}; delete it and repeat the transfer") from error


def draw(content: Transferred) -> Figure:
    """Draw a row for each case, with its image and the Dice of every group; without images two cases in a row."""
    several = len({on for _, on in content.groups}) > 1
    columns = 2
    rows = len(content.dice) if content.images else math.ceil(len(content.dice) / columns)
    height = max(2.6 if content.images else 0.0, 0.55 + 0.16 * len(content.groups))
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.9 + height * rows), layout="constrained")
        figure.suptitle(content.title)
        panels = figure.subplots(rows, columns, squeeze=False)
        places = panels[:, -1] if content.images else panels.flat
        for index, (axes, (case, dice)) in enumerate(zip(places, content.dice.items(), strict=False)):
            _draw_dice(axes, content, dice, named=bool(content.images) or index % columns == 0, several=several)
            axes.set_title(case)
            if case in content.images:
                _draw_image(panels[index, 0], content, content.images[case])
            elif content.images:
                panels[index, 0].set_axis_off()
        for axes in () if content.images else panels.flat[len(content.dice) :]:
            axes.set_axis_off()
        figure.legend(handles=_legend(content), loc="outside lower center", ncols=3)
    return figure


def pictures(folder: Path, _reference: Path | None) -> list[Picture]:
    """Return a picture for each transfer, without images of cases where they are not at hand."""
    found = []
    for records in read_records(folder, [STUDY]):
        stem = f"{records.study}-{records.dataset}-{records.profile}"
        images = sorted((folder / "images").glob(f"{stem}-*.npz"))
        sources = [folder / f"{stem}.jsonl", *images]
        if not read_transfer(records).dice:
            continue  # Every run has failed.
        found.append(Picture(stem, partial(_draw_read, records, images), sources))
    return found


TRANSFER = PaperFigure("transfer", pictures, RecordFiles(STUDY, ".jsonl", FOLDER, "transfer CASES"))


def _draw_read(records: Records, images: Sequence[Path]) -> Figure:
    return draw(read_transfer(records, images))


def _draw_dice(
    axes: Axes, content: Transferred, dice: Mapping[Group, Sequence[float]], named: bool, several: bool
) -> None:
    names = [f"{model_name(model)}, {on}" if several else model_name(model) for model, on in content.groups]
    for place, group in enumerate(content.groups):
        seeds = [value for value in dice.get(group, []) if not math.isnan(value)]
        if not seeds:
            axes.text(0.02, place, _why_none(group, content, dice), va="center", style="italic")
            continue
        own = content.own.get(group, math.nan)
        mean = float(np.mean(seeds))
        number: dict[Hashable, Any] = {
            "quantity": "dice",
            "value": mean,
            "by_seed": seeds,
            "low": math.nan,
            "high": math.nan,
            "published": own,
        }
        draw_number(axes, place, number, *model_look(group[0]), SEED_SHIFT, horizontal=True)
    axes.set_yticks(range(len(names)), names if named else [""] * len(names))
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel=axis_label("dice"))
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)


def _why_none(group: Group, content: Transferred, dice: Mapping[Group, Sequence[float]]) -> str:
    """Return why a group has no valid Dice of a case."""
    if group in dice:
        return "undefined"
    return "failed" if group[1] == content.source else "learned from it"


def _draw_image(axes: Axes, content: Transferred, image: CaseImage) -> None:
    draw_slice(axes, image.picture, image.pixel_mm, [(image.label, LABEL_COLOUR)])
    styles = _styles(content)
    for group, mask in image.predictions.items():
        draw_outline(axes, mask, image.pixel_mm, model_look(group[0])[0], style=styles[group[1]])
    axes.set_title(f"First seed of each model, {image.modality}")


def _styles(content: Transferred) -> dict[str, Style]:
    trained_on = dict.fromkeys(on for _, on in content.groups)
    return {on: STYLES[index % len(STYLES)] for index, on in enumerate(trained_on)}


def _legend(content: Transferred) -> list[Line2D]:
    handles = [
        Line2D([], [], label="mean over seeds", **NEUTRAL | MEAN),
        Line2D([], [], label="single seed", **NEUTRAL | SEED),
        Line2D([], [], label=f"mean of the test cases of {content.source}", **NEUTRAL | PAPER),
    ]
    if content.images:
        handles.append(Line2D([], [], label="label (filled)", color=LABEL_COLOUR))
        handles += [
            Line2D([], [], label=f"trained on {on}", color="0.35", linestyle=style)
            for on, style in _styles(content).items()
        ]
    return handles
