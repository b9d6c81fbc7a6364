import pytest

from benchmarks.names import PUBLISHED, read_published
from benchmarks.studies.table1 import TABLE1
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.sampling import FIELDS_OF
from ossnet.training.profile import load_profile, profile_names


def test_its_rows_are_the_papers_and_the_suites_own_strategy() -> None:
    published = read_published(PUBLISHED, "table1")
    of_paper = set(published[list(TABLE1.layout.columns[:3])].itertuples(index=False, name=None))
    own = {row for row in TABLE1.layout.rows if row[1] == "confidence"}
    assert set(TABLE1.layout.rows) - own == of_paper
    assert len(own) == 3


@pytest.mark.parametrize(("profile", "drawn"), [("paper", {8192, 16384, 32768}), ("laptop", {128, 256, 512})])
def test_the_papers_numbers_of_locations_are_scaled_down(profile: str, drawn: set[int]) -> None:
    points = TABLE1.grid(load_profile(profile))
    assert {point.columns["drawn"] for point in points} == drawn
    for point in points:
        sampling = point.overrides["recipe"]["sampling"]
        strategy = point.columns["sampling"]
        own = {"protocol": "paper"} if strategy == "confidence" else {}
        assert sampling == {"strategy": strategy, "count": point.columns["drawn"], **own}


@pytest.mark.parametrize("profile", profile_names())
def test_the_strategies_differ_in_nothing_but_the_strategy(profile: str, dataset: Dataset) -> None:
    by_strategy: dict[str, list[dict]] = {}
    loaded = load_profile(profile)
    # The released protocol has no confidence sampling, which is by the paper's in a profile with that protocol.
    others = {"strategy", "protocol", *(name for fields in FIELDS_OF.values() for name in fields)}
    for point in TABLE1.grid(loaded):
        recipe = plain(loaded.spec(point.model, dataset, point.seed, point.overrides).recipe)
        strategy = recipe["sampling"]["strategy"]
        recipe["sampling"] = {name: value for name, value in recipe["sampling"].items() if name not in others}
        by_strategy.setdefault(strategy, []).append(recipe)
    assert by_strategy["uniform"] == by_strategy["border"] == by_strategy["confidence"]
