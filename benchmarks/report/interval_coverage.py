"""Coverage of intervals and error rates of verdicts, as the notes of tables state them.

The percentages are those of the studies that `python -m benchmarks simulate` simulates, with three or more seeds unless
stated otherwise. The tests simulate them again.
"""

from typing import NamedTuple


class Percentages(NamedTuple):
    """The lowest and the highest percentage found, rounded outwards."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high} %"


MEANS = Percentages(94, 96)
MEANS_SKEWED = Percentages(89, 92)
MEANS_ONE_TRAINING = Percentages(95, 98)
MEANS_UNSTEADY = Percentages(86, 89)
"""With three seeds; higher with more."""

JOINT = Percentages(94, 97)
JOINT_ONE_TRAINING = Percentages(96, 99)
JOINT_UNSTEADY = Percentages(90, 92)
"""With three seeds; higher with more."""

ERRORS = Percentages(0, 3)
"""True claims that are rejected, and false claims that are accepted."""
REJECTED_UNSTEADY = Percentages(3, 6)
"""With three seeds; lower with more."""
ACCEPTED_UNSTEADY = Percentages(4, 7)
"""With three seeds; lower with more."""

UNSTEADY = "a model whose three seeds vary four times as much as those of the other models"

OF_MEANS = (
    f"In simulations with three or more seeds, this interval covers the true value in {MEANS} of studies. It does so "
    f"in only {MEANS_SKEWED} where a few hard cases form a long tail, in {MEANS_UNSTEADY} for {UNSTEADY}, and in "
    f"{MEANS_ONE_TRAINING} where all rows share one training"
)

OF_COMPARISONS = (
    f"In simulations with three or more seeds, they do so in {JOINT} of studies, in only {JOINT_UNSTEADY} for "
    f"{UNSTEADY}, and in {JOINT_ONE_TRAINING} where all rows share one training"
)

OF_CLAIMS = (
    f"In simulations with three or more seeds, up to {ERRORS.high} % of true claims are found not to hold, and up to "
    f"{ERRORS.high} % of false claims are found to hold. For claims about {UNSTEADY}, it is {REJECTED_UNSTEADY} and "
    f"{ACCEPTED_UNSTEADY}, and less with more seeds"
)
