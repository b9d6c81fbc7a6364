"""A table of text in two markups."""

import pytest

from benchmarks.markup import (
    NOTHING,
    Cell,
    Table,
    interval,
    latex,
    markdown,
    power_of_two,
    read_markdown,
    signed,
    span,
    threads_text,
    with_minus,
)

GRID = Table("A caption, 50 %.", ["Model", "Dice ↑"], [[Cell("a|b"), Cell("0.8", bold=True)], [Cell("c_d"), NOTHING]])


def test_markdown() -> None:
    assert markdown(GRID).split("\n") == [
        "A caption, 50 %.",
        "",
        "| Model | Dice ↑ |",
        "| --- | ---: |",
        r"| a\|b | **0.8** |",
        "| c_d | – |",
    ]


def test_each_column_may_have_its_alignment() -> None:
    grid = Table("Claims.", ["Claim", "Where", "Value"], [[Cell("One."), Cell("Section 1"), Cell("2")]], columns="plr")
    assert markdown(grid).split("\n")[3] == "| --- | --- | ---: |"
    assert r"\begin{tabular}{p{45mm}lr}" in latex(grid)


def test_marks_in_a_cell_are_read_as_they_were() -> None:
    texts = ["unet2d-*", "a|b", "x_y ~ 5 %", "C:\\folder"]
    (table,) = read_markdown(markdown(Table("Marks.", ["Text"], [[Cell(text)] for text in texts])))
    assert table.rows == [[text] for text in texts]


def test_latex_escapes_and_marks() -> None:
    lines = latex(GRID).split("\n")
    assert r"\caption{A caption, 50 \%.}" in lines
    assert r"Model & Dice $\uparrow$ \\" in lines
    assert r"a|b & \textbf{0.8} \\" in lines
    assert r"c\_d & -- \\" in lines
    escaped = latex(Table("x", ["A"], [[Cell("50 % ± 2¹³ ~^ {a}_b & #$ ≥ ≤ − †, {2}²")]]))
    assert r"50 \% $\pm$ 2\textsuperscript{13} \textasciitilde{}\textasciicircum{}" in escaped
    assert r"\{2\}\textsuperscript{2}" in escaped
    assert r"\{a\}\_b \& \#\$ $\geq$ $\leq$ $-$ \textdagger{}" in escaped


def test_details_follow_a_cell_with_less_weight_and_notes_follow_the_table() -> None:
    grid = Table(
        "Caption.", ["Model", "Dice"], [[Cell("a"), Cell("0.8", bold=True, detail="± 0.1 [0.7, 0.9]")]], "Note_1."
    )
    assert markdown(grid).split("\n")[-3:] == ["| a | **0.8** ± 0.1 [0.7, 0.9] |", "", "Note_1."]
    assert r"a & \textbf{0.8} {\scriptsize $\pm$ 0.1 [0.7, 0.9]} \\" in latex(grid)
    assert r"\caption{Caption. Note\_1.}" in latex(grid)


@pytest.mark.parametrize(("number", "text"), [(1, "2⁰"), (8192, "2¹³"), (2**20, "2²⁰"), (8191, "8191"), (0, "0")])
def test_powers_of_two(number: int, text: str) -> None:
    assert power_of_two(number) == text


@pytest.mark.parametrize(("numbers", "text"), [([], "0"), ([3], "3"), ([3, 3], "3"), ([4, 2, 3], "2–4")])
def test_spans(numbers: list[int], text: str) -> None:
    assert span(numbers) == text


def test_numbers_as_text() -> None:
    assert interval(-0.25, 0.5, ".3f") == "[-0.250, 0.500]"
    assert with_minus("[-0.25, 0.5]") == "[−0.25, 0.5]"
    assert [signed(number) for number in (0.0251, -0.0251, -0.0001)] == ["+0.025", "−0.025", "+0.000"]
    assert [threads_text(count) for count in (1, 2)] == ["1 thread", "2 threads"]
