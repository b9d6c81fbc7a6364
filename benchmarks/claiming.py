"""What `python -m benchmarks claims` does: judge the paper's claims by the records at hand."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.claims import read_claims
from benchmarks.collecting import PUBLISHED, REFERENCE, summary_of
from benchmarks.judging import judge
from benchmarks.records import Records, failures_of, read_records, scores_of
from benchmarks.studies import STUDIES
from benchmarks.tables import read_published
from benchmarks.verdicts import write_claims
from ossnet.errors import UserError

NEEDS_GPU = "not measured: no study of this version measures it; it takes a CUDA GPU"
UNMEASURED = {
    "training_memory": NEEDS_GPU,
    "inference_memory": NEEDS_GPU,
    "inference_runtime": NEEDS_GPU,
}


def judge_claims(results: Path, profile: str, datasets: Sequence[str] | None) -> pd.DataFrame:
    """Judge every claim and write `results/tables/claims`.md, .csv and .tex; what `benchmarks.judging.judge` gives.

    A study without records of the profile in `results` is judged by the committed reference.

    Args:
        datasets: whose records to judge by; None for all that there are.

    Raises:
        UserError: there are no records, or those of two data sets answer the same question.
    """
    numbers, failures, found = [], [], set[str]()
    for study in STUDIES.values():
        records = _of(read_records(results / "records", [study.name]), profile, datasets)
        records = records or _of(read_records(REFERENCE / "records", [study.name]), profile, datasets)
        found |= {part.dataset for part in records}
        numbers += [summary_of(study, scores_of(records)), disagreement(records)]
        failures.append(failures_of(records))
    if not found:
        raise UserError(f"no records of profile {profile} in {results}; run `python -m benchmarks run` first")
    if missing := sorted(set(datasets or ()) - found):
        raise UserError(f"no records of data set {missing[0]}; those at hand are of {', '.join(sorted(found))}")
    published = {name: read_published(PUBLISHED, name) for name in ("table1", "table2", "table3")}
    ours = pd.concat([part for part in numbers if len(part)], ignore_index=True)
    failed = pd.concat(failures, ignore_index=True)
    verdicts = judge(read_claims(PUBLISHED / "claims.toml"), ours, published, failed, UNMEASURED)
    write_claims(verdicts, results / "tables" / "claims")
    return verdicts


def disagreement(records: Sequence[Records]) -> pd.DataFrame:
    """How far the two inferences of Table 2's runs disagree, a row a model: percentages of voxels (Section 4.3).

    The value is the mean over seeds and the cases on which a run has compared them, `low` and `high` the smallest and
    the largest of a seed's means.
    """
    rows = []
    for part in records:
        by_model: dict[str, list[float]] = {}
        for row in part.rows:
            percent = row.get("result", {}).get("disagreement_with_prior_percent", {})
            if part.study == "table2" and percent:
                by_model.setdefault(row["model"], []).append(float(np.mean(list(percent.values()))))
        for model, means in by_model.items():
            numbers = {"value": float(np.mean(means)), "low": min(means), "high": max(means)}
            what = {"quantity": "disagreement", "unit": "%", "extraction": "prior", "model": model}
            where = {"table": part.study, "dataset": part.dataset, "profile": part.profile, "protocol": "dense"}
            rows.append({**where, **what, **numbers})
    return pd.DataFrame(rows)


def _of(records: Sequence[Records], profile: str, datasets: Collection[str] | None) -> list[Records]:
    return [part for part in records if part.profile == profile and (datasets is None or part.dataset in datasets)]
