"""`python -m benchmarks claims`: judgement of the paper's claims by the available records."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.claims.evidence import quantity_of, read_judged
from benchmarks.claims.judge import judge
from benchmarks.claims.report import write_claims
from benchmarks.claims.schema import read_claims
from benchmarks.names import PUBLISHED, REFERENCE, read_published
from benchmarks.report.score_records import Records, failures_of, own_rows, read_records, scores_of
from benchmarks.report.summary import summary_of
from benchmarks.studies.registry import find_studies
from ossnet.data.paper_datasets import PAPER_DATASETS
from ossnet.errors import UserError

NO_GPU = "no GPU record"


def judge_claims(
    results: Path, profile: str, datasets: Sequence[str] | None, reference: Path = REFERENCE
) -> pd.DataFrame:
    """Judge every claim, write the verdicts to `results/tables/claims`.md, .csv and .tex, and return them.

    A data set whose records of a study are not in `results` is judged by the committed reference, if they are there;
    the written tables name the records that were used. Memory and runtime are those of a GPU in `results`, otherwise of
    one in the reference. Without a GPU they count as not measured: a prediction is shown, but decides no claim.

    Args:
        results: the results folder.
        profile: name of the profile of the records.
        datasets: names of the data sets of the records; None for all.
        reference: folder of the committed reference.

    Returns:
        The verdicts, as `benchmarks.claims.judge.judge` returns them.

    Raises:
        UserError: there are no such records, or two of the data sets stand for the same data set of the paper.
    """
    claims = read_claims(PUBLISHED / "claims.toml")
    tables = {name for claim in claims for name in claim.tables}
    numbers, failures, used = [], [], []
    for study in [study for study in find_studies([]) if study.has_points and study.name in tables]:
        # The paper says nothing about models that stand in for a study's own.
        own = own_rows(_selected(read_records(results / "records", [study.name]), profile, datasets), study.layout)
        have = {part.dataset for part in own}
        committed = _selected(read_records(reference / "records", [study.name]), profile, datasets)
        from_reference = [part for part in committed if part.dataset not in have]
        records = own + from_reference
        used += [(study.name, part.dataset, "") for part in own]
        used += [(study.name, part.dataset, " (reference)") for part in from_reference]
        numbers.append(summary_of(study, scores_of(records)))
        failures.append(failures_of(records))
    _check({dataset for _, dataset, _ in used}, datasets, profile, results)
    with_evidence = [study for study in find_studies([]) if study.evidence()]
    by_study = {study.name: read_judged(study, results, reference) for study in with_evidence}
    numbers += [part.numbers for part in by_study.values()]
    failures += [part.failures for part in by_study.values()]
    used += [(study, str(part.gpu), "") for study, part in by_study.items() if part.gpu is not None]
    unmeasured = {
        quantity_of(probe): NO_GPU
        for study in with_evidence
        if by_study[study.name].gpu is None
        for probe in study.evidence()
    }
    published = {name: read_published(PUBLISHED, name) for name in ("table1", "table2", "table3")}
    predicted = _concatenate([part.predicted for part in by_study.values() if part.gpu is None])
    verdicts = judge(claims, _concatenate(numbers), published, _concatenate(failures), unmeasured, predicted)
    basis = ", ".join(f"{study} on {source}{origin}" for study, source, origin in used)
    write_claims(verdicts, results / "tables" / "claims", f"Our records: profile {profile}, {basis}.")
    return verdicts


def _concatenate(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _check(found: Collection[str], datasets: Sequence[str] | None, profile: str, results: Path) -> None:
    if missing := sorted(set(datasets or ()) - set(found)):
        raise UserError(
            f"no records of data set {missing[0]} with profile {profile} in {results}; make them with `python -m "
            "benchmarks run`, or leave the data set out of --data"
        )
    if not found:
        raise UserError(
            f"no records with profile {profile} in {results}; make them with `python -m benchmarks run`, or choose "
            "another --profile"
        )
    for paper in set(PAPER_DATASETS.values()):
        rivals = sorted(name for name in found if PAPER_DATASETS.get(name, name) == paper)
        if len(rivals) > 1:
            raise UserError(f"records of {' and '.join(rivals)} decide the same claims; choose one of them with --data")


def _selected(records: Sequence[Records], profile: str, datasets: Collection[str] | None) -> list[Records]:
    return [part for part in records if part.profile == profile and (datasets is None or part.dataset in datasets)]
