"""The sentences below a table of scores that say how to read its numbers."""

from collections.abc import Set

import pandas as pd

from benchmarks.report.coverage import OF_MEANS


def notes_of_numbers(numbers: pd.DataFrame, reported: Set[str], stand_in: str | None) -> list[str]:
    """Make sentences, without their full stops, on the numbers that `benchmarks.report.summary.summarise` gives.

    Args:
        reported: the quantities that the paper reports.
        stand_in: the paper's data set that these data stand in for, if they do.
    """
    quantities = set(numbers["quantity"])
    published = set(numbers["quantity"][numbers["published"].notna()])
    sentences = []
    if len(numbers):
        sentences.append(
            "A value is the mean over seeds of each seed's mean over valid cases; bold: best of its column"
        )
    if numbers["low"].notna().any():
        sentences += [
            "In brackets its 95 % interval for other seeds and other cases; after ± the standard deviation of the "
            "seeds' means",
            f"If other seeds and cases are like these, {OF_MEANS}",
            "Rows share their cases: whether two of them differ is told by the comparisons, not by their intervals",
        ]
    if (numbers["seeds"] > 1).any() and quantities & reported:
        sentences.append(
            "Best: the mean of the best of three seeds (of more, what three of them come to on average; of fewer, the "
            "best there is), as the paper reports it; the seed of the highest IoU, for Dice too, picked by these very "
            "cases"
        )
    if numbers["reference"].notna().any():
        sentences.append("Reference: the value in the suite's committed records")
    if published:
        other = f", on {stand_in} and so not directly comparable" if stand_in else ""
        best = ", best of three runs" if published & reported else ""
        sentences.append(f"Paper: Reich et al. (BMVC 2021){best}{other}")
    if "hausdorff95" in quantities:
        sentences.append("HD95: the larger of the two directed 95th percentiles")
    if "surface_dice" in quantities:
        sentences.append("Surface Dice: at a tolerance of 2 mm, or of the longest voxel edge where that is more")
    if "false_positive_volume" in quantities:
        sentences.append(
            "FP volume: what is segmented outside the label, of all cases. Of a case without foreground Dice, IoU and "
            "Surface Dice are 0 where anything is segmented and not valid where nothing is; HD95 is the volume's "
            "diagonal or not valid"
        )
    return sentences
