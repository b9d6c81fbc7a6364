"""Scores at sampled locations, as the paper and its released code validate, for the cases that are scored densely."""

from collections.abc import Sequence

import pandas as pd

from benchmarks.names import PAPER_DATASETS
from ossnet.data.prepared import Cases
from ossnet.model import SegmentationModel
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation, score

RELEASED_LITS_BORDER_SHARE = 0.4
"""Of the locations that the released code draws of each volume of LiTS."""

RELEASED_LITS_FRACTION = 8
"""The released code draws 2^14 locations of a volume of LiTS, an eighth of the paper's 2^17."""


def sampled_protocols(training: RunSpec) -> tuple[Validation, ...]:
    """The protocols `paper` and, on a data set of the paper or its stand-in, `released`, with as many locations as the
    training's validation draws in place of the paper's 2^17."""
    locations = training.recipe.validation.locations
    paper = Validation("paper", locations)
    match PAPER_DATASETS.get(training.dataset, training.dataset):
        case "brats":
            return paper, Validation("released", locations)
        case "lits":
            fewer = max(1, locations // RELEASED_LITS_FRACTION)
            return paper, Validation("released", fewer, RELEASED_LITS_BORDER_SHARE)
    return (paper,)


def score_sampled(model: SegmentationModel, cases: Cases, protocols: Sequence[Validation]) -> pd.DataFrame:
    """Rows of `protocol`, `case`, `quantity` (Dice and IoU) and `value`, of each case by each protocol."""
    rows = [
        (protocol.protocol, case, quantity, value)
        for protocol in protocols
        for case, values in score(model, cases, model.config.classes, protocol).items()
        for quantity, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["protocol", "case", "quantity", "value"])
