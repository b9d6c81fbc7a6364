"""Registry of the suite's figures: each is one module and one line here."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.studies.ablations import ABLATIONS
from benchmarks.studies.additions import ADDITIONS
from benchmarks.studies.borders import BORDERS
from benchmarks.studies.confidence import CONFIDENCE
from benchmarks.studies.registry import find_studies
from benchmarks.studies.sizes import SIZES
from ossnet.errors import UserError
from paper_figures.cases import CASES
from paper_figures.figure1 import FIGURE1
from paper_figures.figure4 import FIGURE4
from paper_figures.figure5 import FIGURE5
from paper_figures.figure6 import FIGURE6
from paper_figures.league import LEAGUE_FIGURE
from paper_figures.locations import LOCATIONS
from paper_figures.memory_parts import MEMORY_PARTS
from paper_figures.models import MODELS
from paper_figures.picture import PaperFigure
from paper_figures.sampling import SAMPLING
from paper_figures.scaling import SCALING
from paper_figures.segmentations import SEGMENTATIONS
from paper_figures.speed import SPEED
from paper_figures.study_figure import study_figure
from paper_figures.tradeoff import TRADEOFF
from paper_figures.transfer import TRANSFER

FIGURES: dict[str, PaperFigure] = {
    figure.name: figure
    for figure in (
        *(SAMPLING, MODELS, TRADEOFF, LEAGUE_FIGURE, SEGMENTATIONS, CASES),
        *(FIGURE1, FIGURE4, FIGURE5, FIGURE6, SCALING, SPEED, MEMORY_PARTS),
        *(study_figure(study) for study in (ABLATIONS, ADDITIONS, SIZES, BORDERS, CONFIDENCE)),
        *(LOCATIONS, TRANSFER),
    )
}


def find_figures(names: Sequence[str], results: Path | None = None) -> list[PaperFigure]:
    """Return figures by name, or all figures if no name is given.

    The figure of a study that a user defines has the study's name, and its file may be named instead.

    Args:
        names: names of figures, or paths of TOML files of studies.
        results: results folder, whose `studies` have figures, too; None for those of the suite alone.

    Raises:
        UserError: a name is unknown, or a file defines no study.
    """
    files = [name for name in names if name.lower().endswith(".toml")]
    given = find_studies(files) if files else []
    stored = [study for study in find_studies([], results) if study.file is not None]
    known = FIGURES | {study.name: study_figure(study) for study in (*stored, *given)}
    wanted = [name for name in names if name not in files] + [study.name for study in given]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(f"unknown figure {unknown[0]!r}; choose from {', '.join(known)}")
    return [known[name] for name in wanted or known]
