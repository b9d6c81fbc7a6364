"""A table of text as Markdown and as LaTeX."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Cell(NamedTuple):
    """A cell's text, and what follows it with less weight: never bold, and small in LaTeX."""

    text: str
    bold: bool = False
    detail: str = ""


NOTHING = Cell("–")


@dataclass(frozen=True)
class Grid:
    """A table's text before its markup. The notes stand below the table, in LaTeX at the end of its caption."""

    caption: str
    head: list[str]
    rows: list[list[Cell]]
    notes: str = ""


SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_two(number: int) -> str:
    """2^13 as 2¹³, any other number as it is."""
    is_power = number > 0 and number.bit_count() == 1
    return f"2{str(number.bit_length() - 1).translate(SUPERSCRIPTS)}" if is_power else str(number)


def span(numbers: Iterable[int]) -> str:
    """From the lowest number to the highest: `3` or `2–3`, `0` for none."""
    several = sorted(numbers)
    if not several:
        return "0"
    low, high = several[0], several[-1]
    return f"{low}" if low == high else f"{low}–{high}"


def markdown(grid: Grid) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def escape(text: str) -> str:
        return " ".join(text.split()).replace("|", r"\|")

    def content(cell: Cell) -> str:
        text = f"**{escape(cell.text)}**" if cell.bold else escape(cell.text)
        return f"{text} {escape(cell.detail)}" if cell.detail else text

    rules = ["---"] + ["---:"] * (len(grid.head) - 1)
    table = [line(grid.head), line(rules), *(line([content(cell) for cell in row]) for row in grid.rows)]
    notes = ["", grid.notes] if grid.notes else []
    return "\n".join([grid.caption, "", *table, *notes])


class PrintedTable(NamedTuple):
    """A table as a Markdown file has it: the cells' texts as they are read, with the marks of bold ones."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def read_markdown(text: str) -> list[PrintedTable]:
    """Find the tables that `markdown` wrote to a text, in their order."""
    tables: list[PrintedTable] = []
    caption, in_table = "", False
    for line in filter(None, text.splitlines()):
        if not line.startswith("| "):
            caption, in_table = line, False
            continue
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not in_table:
            tables.append(PrintedTable(caption, cells, []))
            in_table = True
        elif not set("".join(cells)) <= set("-:"):
            tables[-1].rows.append(cells)
    return tables


LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "–": "--",
    **{chr(superscript): rf"\textsuperscript{{{chr(digit)}}}" for digit, superscript in SUPERSCRIPTS.items()},
}


def latex(grid: Grid) -> str:
    def escape(text: str) -> str:
        return "".join(LATEX.get(character, character) for character in " ".join(text.split()))

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    def content(cell: Cell) -> str:
        text = rf"\textbf{{{escape(cell.text)}}}" if cell.bold else escape(cell.text)
        return rf"{text} {{\scriptsize {escape(cell.detail)}}}" if cell.detail else text

    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(f'{grid.caption} {grid.notes}'.strip())}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(grid.head) - 1)}}}",
            r"\toprule",
            line([escape(name) for name in grid.head]),
            r"\midrule",
            *(line([content(cell) for cell in row]) for row in grid.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
    )
