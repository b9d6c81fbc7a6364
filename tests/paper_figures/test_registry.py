"""The registry of figures."""

import pytest

from ossnet.errors import UserError
from paper_figures.registry import FIGURES, find_figures


def test_figures_are_found_by_name_and_all_of_them_for_none() -> None:
    assert [figure.name for figure in find_figures(["models", "sampling"])] == ["models", "sampling"]
    assert find_figures([]) == list(FIGURES.values())


def test_an_unknown_figure_is_told_those_that_there_are() -> None:
    with pytest.raises(UserError, match="unknown figure 'table9'; choose from sampling, models"):
        find_figures(["sampling", "table9"])
