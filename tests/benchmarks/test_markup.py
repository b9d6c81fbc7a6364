"""A table of text in two markups."""

from benchmarks.markup import NOTHING, Cell, Grid, latex, markdown

GRID = Grid("A caption, 50 %.", ["Model", "Dice ↑"], [[Cell("a|b"), Cell("0.8", bold=True)], [Cell("c_d"), NOTHING]])


def test_markdown() -> None:
    assert markdown(GRID).split("\n") == [
        "A caption, 50 %.",
        "",
        "| Model | Dice ↑ |",
        "| --- | ---: |",
        r"| a\|b | **0.8** |",
        "| c_d | – |",
    ]


def test_latex_escapes_and_marks() -> None:
    lines = latex(GRID).split("\n")
    assert r"\caption{A caption, 50 \%.}" in lines
    assert r"Model & Dice $\uparrow$ \\" in lines
    assert r"a|b & \textbf{0.8} \\" in lines
    assert r"c\_d & -- \\" in lines
