from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies.confidence import CONFIDENCE
from benchmarks.studies.table1 import TABLE1
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.training.profile import load_profile

LAPTOP = load_profile("laptop")


def test_the_strategies_have_five_seeds_and_equal_budgets(dataset: Dataset) -> None:
    specs = [Segmentation.of(point, LAPTOP, dataset) for point in CONFIDENCE.grid(LAPTOP)]
    assert sorted((spec.training.recipe.sampling.strategy, spec.training.seed) for spec in specs) == [
        (strategy, seed) for strategy in ("border", "confidence", "uniform") for seed in range(5)
    ]
    recipes = [plain(spec.training.recipe) for spec in specs]
    assert {recipe["sampling"]["count"] for recipe in recipes} == {256}
    others = [{name: value for name, value in recipe.items() if name != "sampling"} for recipe in recipes]
    assert all(other == others[0] for other in others)


def test_three_seeds_of_each_strategy_are_shared_with_table_1(dataset: Dataset) -> None:
    table1 = [Segmentation.of(point, LAPTOP, dataset) for point in TABLE1.grid(LAPTOP)]
    shared = [Segmentation.of(point, LAPTOP, dataset) in table1 for point in CONFIDENCE.grid(LAPTOP)]
    assert sum(shared) == 3 * 3
