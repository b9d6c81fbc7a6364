"""Scores at sampled locations, as the paper and its released code validate, in addition to the dense scores."""

from collections.abc import Sequence

import pandas as pd

from benchmarks.names import PAPER_DATASETS
from ossnet.data.prepared import PreparedCase
from ossnet.field import OccupancyField
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation, score_field

RELEASED_LITS_BORDER_SHARE = 0.4
"""Share of border locations among those that the released code draws from each volume of LiTS."""

RELEASED_LITS_FRACTION = 8
"""Divisor of the number of locations on LiTS, where the released code draws 2^14, an eighth of the paper's 2^17."""


def sampled_protocols(training: RunSpec) -> tuple[Validation, ...]:
    """Return the protocols `paper` and, for a data set of the paper or a stand-in of it, `released`.

    They draw as many locations as the training's validation, in place of the paper's 2^17.
    """
    locations = training.recipe.validation.locations
    paper = Validation("paper", locations)
    match PAPER_DATASETS.get(training.dataset, training.dataset):
        case "brats":
            return paper, Validation("released", locations)
        case "lits":
            fewer = max(1, locations // RELEASED_LITS_FRACTION)
            return paper, Validation("released", fewer, RELEASED_LITS_BORDER_SHARE)
    return (paper,)


def score_sampled(
    field: OccupancyField, case: PreparedCase, protocols: Sequence[Validation], max_locations: int = 2**14
) -> pd.DataFrame:
    """Score the field of a case by each protocol.

    Args:
        field: field of the case's image.
        case: the case.
        protocols: sampled protocols.
        max_locations: maximal number of locations per pass.

    Returns:
        Rows of `protocol`, `case`, `quantity` (`dice`, `iou`) and `value`.
    """
    rows = [
        (protocol.protocol, case.name, quantity, value)
        for protocol in protocols
        for quantity, value in score_field(field, case, protocol, max_locations).items()
    ]
    return pd.DataFrame(rows, columns=["protocol", "case", "quantity", "value"])
