"""A table of text as Markdown and as LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Cell(NamedTuple):
    text: str
    bold: bool = False


NOTHING = Cell("–")


@dataclass(frozen=True)
class Grid:
    """A table's text before its markup."""

    caption: str
    head: list[str]
    rows: list[list[Cell]]


def markdown(grid: Grid) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def text(cell: Cell) -> str:
        escaped = " ".join(cell.text.split()).replace("|", r"\|")
        return f"**{escaped}**" if cell.bold else escaped

    rules = ["---"] + ["---:"] * (len(grid.head) - 1)
    return "\n".join(
        [grid.caption, "", line(grid.head), line(rules), *(line([text(cell) for cell in row]) for row in grid.rows)]
    )


LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
}


def latex(grid: Grid) -> str:
    def escape(text: str) -> str:
        return "".join(LATEX.get(character, character) for character in " ".join(text.split()))

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    def text(cell: Cell) -> str:
        return rf"\textbf{{{escape(cell.text)}}}" if cell.bold else escape(cell.text)

    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(grid.caption)}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(grid.head) - 1)}}}",
            r"\toprule",
            line([escape(name) for name in grid.head]),
            r"\midrule",
            *(line([text(cell) for cell in row]) for row in grid.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
    )
