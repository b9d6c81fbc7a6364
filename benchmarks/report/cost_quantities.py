"""Memory, time and parameters as quantities of a study's own table and figure, next to its scores.

The table of costs (`benchmarks.report.cost_table`) has them for every study, with their explanation.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.layout import Layout
from benchmarks.names import GROUP
from benchmarks.probes.records import GIGABYTE
from benchmarks.report.run_costs import costs_of
from benchmarks.report.score_records import Records
from benchmarks.report.summary import columns_of
from ossnet.evaluation.quantities import QUANTITIES

SOURCES = {
    "training_memory": ("training_allocated_bytes", GIGABYTE),
    "training_time": ("training_s", 1),
    "segmentation_memory": ("segmentation_allocated_bytes", GIGABYTE),
    "segmentation_time": ("segmentation_s", 1),
    "parameters": ("parameters", 1),
}
"""Column of `benchmarks.report.run_costs.costs_of` and its unit, by quantity."""


def cost_values(records: Sequence[Records], layout: Layout) -> pd.DataFrame:
    """Return a row for each run and each of the layout's quantities that is a recorded cost.

    Its columns are dataset, profile, protocol, the study's columns, seed, quantity, unit and value.
    """
    costs = costs_of(records, [column for column in layout.columns if column != "model"])
    head = [*GROUP, *layout.columns, "seed"]
    parts = [
        costs[head].assign(quantity=name, unit=QUANTITIES[name].unit, value=costs[column] / scale)
        for name, (column, scale) in SOURCES.items()
        if name in layout.quantities
    ]
    if not parts:
        return pd.DataFrame(columns=[*head, "quantity", "unit", "value"])
    return pd.concat(parts, ignore_index=True).dropna(subset="value")


def with_costs(numbers: pd.DataFrame, records: Sequence[Records], layout: Layout) -> pd.DataFrame:
    """Return the numbers of `benchmarks.report.summary.summarise` with those of the costs that the layout shows.

    The value of a cost is the median over seeds, as in the table of costs, and has no interval.
    """
    values = cost_values(records, layout)
    if values.empty:
        return numbers
    row = [*GROUP, *layout.columns]
    cases = numbers.groupby(row)["n"].max()
    by_row = values.groupby([*row, "quantity", "unit"], sort=False)
    costs = by_row["value"].median().to_frame()
    costs["std_seeds"], costs["seeds"] = by_row["value"].std(), by_row["seed"].nunique()
    costs = costs.reset_index().join(cases, on=row).assign(table=layout.table)
    costs = costs.reindex(columns=[*columns_of(layout), "scores"], fill_value=np.nan)
    both = pd.concat([numbers, costs], ignore_index=True)
    order = {key: place for place, key in enumerate(both[row].drop_duplicates().itertuples(index=False, name=None))}
    places = [order[key] for key in both[row].itertuples(index=False, name=None)]
    return both.assign(place=places).sort_values("place", kind="stable", ignore_index=True)[list(both)]
