"""Registry of the suite's figures: each is one module and one line here."""

from collections.abc import Sequence

from ossnet.errors import UserError
from paper_figures.cases import CASES
from paper_figures.figure1 import FIGURE1
from paper_figures.figure4 import FIGURE4
from paper_figures.figure5 import FIGURE5
from paper_figures.figure6 import FIGURE6
from paper_figures.league import LEAGUE_FIGURE
from paper_figures.memory_parts import MEMORY_PARTS
from paper_figures.models import MODELS
from paper_figures.picture import PaperFigure
from paper_figures.sampling import SAMPLING
from paper_figures.scaling import SCALING
from paper_figures.segmentations import SEGMENTATIONS
from paper_figures.speed import SPEED
from paper_figures.tradeoff import TRADEOFF

FIGURES: dict[str, PaperFigure] = {
    figure.name: figure
    for figure in (
        *(SAMPLING, MODELS, TRADEOFF, LEAGUE_FIGURE, SEGMENTATIONS, CASES),
        *(FIGURE1, FIGURE4, FIGURE5, FIGURE6, SCALING, SPEED, MEMORY_PARTS),
    )
}


def find_figures(names: Sequence[str]) -> list[PaperFigure]:
    """Return figures by name, or all figures if no name is given.

    Raises:
        UserError: a name is unknown.
    """
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise UserError(f"unknown figure {unknown[0]!r}; choose from {', '.join(FIGURES)}")
    return [FIGURES[name] for name in names or FIGURES]
