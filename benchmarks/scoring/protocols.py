"""Sampled protocols by which studies score their runs, in addition to the dense scores."""

from ossnet.data.paper_datasets import is_of_paper
from ossnet.training.protocols import RELEASED_LITS_FRACTION, sampled_protocol
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation


def protocols_of(training: RunSpec) -> tuple[Validation, ...]:
    """Return the protocols `paper` and, for a data set of the paper or a stand-in of it, `released`.

    They draw as many locations as the training's validation, in place of the paper's 2^17.
    """
    validation, dataset = training.recipe.validation, training.dataset
    # Where a training validates as the released code does on LiTS, the paper's number is that many times larger.
    locations = validation.locations * (RELEASED_LITS_FRACTION if validation.border_share else 1)
    paper = sampled_protocol("paper", dataset, locations)
    if not is_of_paper(dataset):
        return (paper,)
    return paper, sampled_protocol("released", dataset, locations)
