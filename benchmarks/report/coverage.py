"""How often intervals hold the truth and claims are judged rightly, as the notes of tables state it.

Percentages of the studies that `python -m benchmarks simulate` simulates, with three or more seeds if not said
otherwise. The tests simulate them again.
"""

from typing import NamedTuple


class Percentages(NamedTuple):
    """The lowest and the highest of what was found, rounded away from each other."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high} %"


MEANS = Percentages(94, 96)
MEANS_SKEWED = Percentages(89, 92)
MEANS_ONE_TRAINING = Percentages(96, 98)
MEANS_UNSTEADY = Percentages(86, 89)
"""With three seeds; more with more."""

JOINT = Percentages(94, 97)
JOINT_ONE_TRAINING = Percentages(96, 99)
JOINT_UNSTEADY = Percentages(90, 92)
"""With three seeds; more with more."""

ERRORS = Percentages(0, 3)
"""Of true claims that are rejected, and of false ones that are accepted."""
REJECTED_UNSTEADY = Percentages(3, 5)
"""With three seeds; fewer with more."""
ACCEPTED_UNSTEADY = Percentages(5, 7)
"""With three seeds; fewer with more."""

UNSTEADY = "a model whose three seeds vary four times as much as the others'"

OF_MEANS = (
    f"it holds the truth in {MEANS} of simulated studies with three or more seeds; in only {MEANS_SKEWED} where a few "
    f"hard cases make a long tail, and {MEANS_UNSTEADY} for {UNSTEADY}; in {MEANS_ONE_TRAINING} where all rows are of "
    "one training"
)

OF_COMPARISONS = (
    f"{JOINT} of simulated ones with three or more seeds; only {JOINT_UNSTEADY} for {UNSTEADY}; {JOINT_ONE_TRAINING} "
    "where all rows are of one training"
)

OF_CLAIMS = (
    f"In simulations with three or more seeds, up to {ERRORS.high} % of true claims are called false and up to "
    f"{ERRORS.high} % of false ones true. Of claims on {UNSTEADY} it is {REJECTED_UNSTEADY} and {ACCEPTED_UNSTEADY}, "
    "and less with more seeds."
)
