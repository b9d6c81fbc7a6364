"""Tables as Markdown and LaTeX, and numbers as the text of their cells."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: the text.
        bold: whether the text is bold.
        detail: further text after it, never bold and small in LaTeX.
    """

    text: str
    bold: bool = False
    detail: str = ""


NOTHING = Cell("–")


@dataclass(frozen=True)
class Table:
    """A table as text, before its markup.

    Attributes:
        caption: the caption.
        head: the headings of the columns.
        rows: the cells of each row, one per heading.
        notes: text below the table; in LaTeX it ends the caption.
        columns: the alignment, one letter per column: `l`, `r`, or `p` for sentences, which LaTeX breaks into lines.
            Empty if only the first column is aligned left.
    """

    caption: str
    head: list[str]
    rows: list[list[Cell]]
    notes: str = ""
    columns: str = ""

    @property
    def alignment(self) -> str:
        """The alignment of every column."""
        return self.columns or f"l{'r' * (len(self.head) - 1)}"


SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def power_of_two(number: int) -> str:
    """Return a power of two as 2¹³, any other number as it is."""
    is_power = number > 0 and number.bit_count() == 1
    return f"2{str(number.bit_length() - 1).translate(SUPERSCRIPTS)}" if is_power else str(number)


def span(numbers: Iterable[int]) -> str:
    """Return the range of numbers: `3` or `2–3`; `0` for none."""
    several = sorted(numbers)
    if not several:
        return "0"
    low, high = several[0], several[-1]
    return f"{low}" if low == high else f"{low}–{high}"


def interval(low: float, high: float, form: str) -> str:
    """Return an interval as `[0.1, 0.3]`, both ends by a format specification such as `.3f`."""
    return f"[{low:{form}}, {high:{form}}]"


def with_minus(text: str) -> str:
    """Replace the hyphens of negative numbers by minus signs."""
    return text.replace("-", "−")


def signed(number: float, digits: int = 3) -> str:
    """Return a number with its sign, as `+0.025` or `−0.025`."""
    # Adding 0 turns the -0.0 of a rounded number into 0.0.
    return with_minus(f"{round(number, digits) + 0.0:+.{digits}f}")


def threads_text(count: int) -> str:
    """Return a number of threads as `1 thread` or `2 threads`."""
    return f"{count} thread{'' if count == 1 else 's'}"


def machine_text(made_with: Mapping[str, Any]) -> str:
    """Return the machine of a provenance: the GPU's name, or the CPU's with torch's threads; empty if not recorded."""
    gpu, cpu = made_with.get("gpu"), made_with.get("cpu")
    if gpu is not None:
        return str(gpu["name"])
    return "" if cpu is None else f"{cpu['model']}, {threads_text(cpu['torch_threads'])}"


def markdown(grid: Table) -> str:
    """Return a table as GitHub Markdown: caption, table and notes."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def escape(text: str) -> str:
        return re.sub(r"([|*])", r"\\\1", " ".join(text.split()))

    def content(cell: Cell) -> str:
        text = f"**{escape(cell.text)}**" if cell.bold else escape(cell.text)
        return f"{text} {escape(cell.detail)}" if cell.detail else text

    rules = ["---:" if letter == "r" else "---" for letter in grid.alignment]
    table = [line(grid.head), line(rules), *(line([content(cell) for cell in row]) for row in grid.rows)]
    notes = ["", grid.notes] if grid.notes else []
    return "\n".join([grid.caption, "", *table, *notes])


class PrintedTable(NamedTuple):
    """A table as a Markdown file has it: the texts of its cells, with the marks of bold ones."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def read_markdown(text: str) -> list[PrintedTable]:
    """Read the tables that `markdown` wrote to a text, in their order."""
    tables: list[PrintedTable] = []
    caption, in_table = "", False
    for line in filter(None, text.splitlines()):
        if not line.startswith("| "):
            caption, in_table = line, False
            continue
        cells = [re.sub(r"\\([|*])", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
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
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "–": "--",
    "†": r"\textdagger{}",
}

DIGITS = {superscript: digit for digit, superscript in SUPERSCRIPTS.items()}
"""Code points of the digits by those of their superscripts, as `str.translate` reads them."""

SUPERSCRIPT_NUMBER = re.compile(f"[{''.join(map(chr, DIGITS))}]+")

SENTENCES = "p{45mm}"
"""Column type of alignment `p`."""


def latex(grid: Table) -> str:
    """Return a table as LaTeX, for a document that loads booktabs and graphicx (which fits the table to the page)."""

    def escape(text: str) -> str:
        escaped = "".join(LATEX.get(character, character) for character in " ".join(text.split()))
        return SUPERSCRIPT_NUMBER.sub(lambda found: rf"\textsuperscript{{{found[0].translate(DIGITS)}}}", escaped)

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
            rf"\begin{{tabular}}{{{grid.alignment.replace('p', SENTENCES)}}}",
            r"\toprule",
            line([escape(name) for name in grid.head]),
            r"\midrule",
            *(line([content(cell) for cell in row]) for row in grid.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
    )
