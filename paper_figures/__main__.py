"""`python -m paper_figures`: draw figures as PDF and PNG into results/figures, from the records that studies left."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ossnet.command import run_command
from ossnet.errors import UserError
from paper_figures.registry import FIGURES, find_figures


def draw_figures(names: Sequence[str], results: Path) -> int:
    """Draw figures by name, all of them for no name, and tell of each picture; 0.

    Pictures that are as new as their records are left alone. `cases`, which takes about 20 s and no records, is drawn
    where its picture is missing.

    Raises:
        UserError: an unknown name, a named figure without anything to draw, or a file that cannot be read or written.
    """
    for figure in find_figures(names):
        lines = figure.draw(results)
        if not lines and figure.records:
            records = figure.records
            lines = [f"{figure.name}: nothing of {records.study} to draw in {results}; run `{records.origin}`"]
            if names:
                raise UserError(lines[0])
        print("\n".join(lines))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m paper_figures", description=__doc__)
    parser.add_argument("figure", nargs="*", metavar="FIGURE", help=f"{', '.join(FIGURES)} (all of them)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the studies (%(default)s)")
    options = parser.parse_args(arguments)
    return run_command("paper_figures", lambda: draw_figures(options.figure, options.results))


if __name__ == "__main__":
    sys.exit(main())
