"""Notes below a table of scores that say how to read its numbers."""

from collections.abc import Iterable, Set

import pandas as pd

from benchmarks.report.interval_coverage import OF_MEANS
from ossnet.evaluation.quantities import COST_QUANTITIES


def join_notes(sentences: Iterable[str]) -> str:
    """Join sentences, with or without their full stops, into the text of a table's notes."""
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences)


def notes_of_numbers(numbers: pd.DataFrame, of_the_paper: Set[str], stand_in: str | None) -> list[str]:
    """Return sentences, without their full stops, on the numbers of a table.

    Args:
        numbers: the numbers that `benchmarks.report.summary.summarise` returns.
        of_the_paper: the quantities that the paper reports.
        stand_in: the paper's data set that these data stand in for; None if they stand in for none.
    """
    quantities = set(numbers["quantity"])
    published = set(numbers["quantity"][numbers["published"].notna()])
    sentences = []
    if len(numbers):
        sentences += [
            "Each value is the mean over seeds of the seed's mean over valid cases",
            "The best value of a column is bold",
        ]
    if numbers["low"].notna().any():
        sentences += [
            "The standard deviation of the seeds' means follows after ±",
            "Brackets hold the 95 % interval of the value for other seeds and cases like these",
            OF_MEANS,
            "All rows are scored on the same cases, so the table of comparisons shows whether two of them differ, not "
            "the overlap of their intervals",
        ]
    if (numbers["seeds"] > 1).any() and quantities & of_the_paper:
        sentences += [
            "Best: the mean of the best of three seeds, as the paper reports it; with more seeds, the average over all "
            "choices of three; with fewer, the best of them",
            "The best seed is that of the highest IoU, for Dice too, on these same cases",
        ]
    if numbers["reference"].notna().any():
        sentences.append("Reference: the value in the suite's committed records")
    if published:
        best = ", best of three runs" if published & of_the_paper else ""
        other = f", on {stand_in} and therefore not directly comparable" if stand_in else ""
        sentences.append(f"Paper: Reich et al. (BMVC 2021){best}{other}")
    if quantities & COST_QUANTITIES.keys():
        sentences.append("Memory and times are medians over seeds, which the table of costs explains")
    if "hausdorff95" in quantities:
        sentences.append("HD95: the larger of the two directed 95th percentiles")
    if "surface_dice" in quantities:
        sentences.append("Surface Dice: at a tolerance of 2 mm, or of the longest voxel edge if that is larger")
    if "false_positive_volume" in quantities:
        sentences += [
            "FP volume: the volume segmented outside the label, in all cases",
            "In a case without foreground, Dice, IoU and Surface Dice are 0 if anything is segmented and otherwise not "
            "valid; HD95 is then the diagonal of the volume or not valid",
        ]
    return sentences
