"""`python -m paper_figures`: draw figures as PDF and PNG, with their data as JSON, into `results/figures`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.names import REFERENCE
from ossnet.command import run_command
from ossnet.errors import UserError
from paper_figures.registry import FIGURES, find_figures

PROGRAM = "paper_figures"
"""Name of the program in messages."""


def draw_figures(names: Sequence[str], results: Path, reference: Path | None = REFERENCE) -> int:
    """Draw figures by name, or all figures if no name is given, and print a line for each picture.

    Pictures that are as new as their records are left alone. `cases` needs no records and takes about 20 s; it is drawn
    where its picture is missing.

    Args:
        names: names of figures.
        results: results folder.
        reference: results folder of the committed reference; None for no reference.

    Returns:
        The exit status: 0, or 1 if there is nothing to draw for some of the names.

    Raises:
        UserError: a name is unknown, there is nothing to draw for any of the names, or a file cannot be read or
            written.
    """
    figures, without_records = find_figures(names, results), []
    for figure in figures:
        lines = figure.draw(results, reference)
        if not lines and figure.records:
            records = figure.records
            unfit = records.find(results / records.folder)
            remark = ", whose records have other columns or none of its quantities" if unfit else ""
            lines = [
                f"{figure.name}: nothing to draw from {records.study} in {results}{remark}; run `{records.origin}`"
            ]
            if names:
                without_records += lines
                continue
        print("\n".join(lines))
    if without_records and len(without_records) == len(figures):
        raise UserError("; ".join(without_records))
    for line in without_records:
        print(f"{PROGRAM}: {line}", file=sys.stderr)
    return 1 if without_records else 0


def main(arguments: Sequence[str] | None = None, reference: Path | None = REFERENCE) -> int:
    """Run the command line and return the exit status: that of `draw_figures`, or 2 after an error of the user."""
    parser = argparse.ArgumentParser(
        prog="python -m paper_figures",
        description="Draw figures from records, as PDF and PNG with their data as JSON, into RESULTS/figures.",
    )
    text = f"one of {', '.join(FIGURES)}, or the name or TOML file of a study of your own (default: all)"
    parser.add_argument("figure", nargs="*", metavar="FIGURE", help=text)
    parser.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    return run_command(PROGRAM, lambda: draw_figures(options.figure, options.results, reference))


if __name__ == "__main__":
    sys.exit(main())
