"""`python -m paper_figures FIGURE`: draw a figure as PDF and PNG into results/figures, from what studies left there."""

import argparse
import sys
from pathlib import Path

from ossnet.command import run_command
from ossnet.data.glioma import GliomaConfig, glioma_case
from ossnet.data.liver import LiverConfig, liver_case
from ossnet.errors import UserError
from paper_figures import cases, segmentations, style


def draw_segmentations(results: Path) -> list[Path]:
    """A figure for each `tables/table2-*.npz` that is newer than its figure; the pictures drawn.

    Raises:
        UserError: there is nothing to draw from.
    """
    records = sorted((results / "tables").glob("table2-*.npz"))
    if not records:
        raise UserError(f"no study has left a case to draw in {results / 'tables'}; run `make tables` first")
    drawn = []
    for record in records:
        picture = results / "figures" / f"{record.stem}.png"
        if not picture.exists() or picture.stat().st_mtime < record.stat().st_mtime:
            style.save(segmentations.draw(segmentations.load(record)), picture.with_suffix(""))
            drawn.append(picture)
    return drawn


def draw_cases(results: Path) -> list[Path]:
    """Two cases of each embedded data set, made for the picture."""
    gliomas = [glioma_case(GliomaConfig(shape=(240, 240, 155)), index) for index in range(2)]
    livers = [liver_case(LiverConfig(shape=(160, 160, 160)), index) for index in range(2)]
    picture = results / "figures" / "cases.png"
    style.save(cases.draw(gliomas, livers), picture.with_suffix(""))
    return [picture]


FIGURES = {"segmentations": draw_segmentations, "cases": draw_cases}


def main() -> int:
    """0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m paper_figures", description=__doc__)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the studies (%(default)s)")
    arguments = parser.parse_args()

    def command() -> int:
        for picture in FIGURES[arguments.figure](arguments.results):
            print(picture)
        return 0

    return run_command("paper_figures", command)


if __name__ == "__main__":
    sys.exit(main())
