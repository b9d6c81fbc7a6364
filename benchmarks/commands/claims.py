"""What `python -m benchmarks claims` does: judge the paper's claims by the records at hand."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.claims.evidence import quantity_of, read_judged
from benchmarks.claims.judge import Verdict, judge
from benchmarks.claims.report import write_claims
from benchmarks.claims.schema import Claim, read_claims
from benchmarks.names import PAPER_DATASETS, PUBLISHED, REFERENCE, read_published
from benchmarks.report.score_records import Records, failures_of, read_records, scores_of
from benchmarks.report.summary import summary_of
from benchmarks.studies.registry import find_studies
from ossnet.errors import UserError

NO_GPU = "no GPU record"


def judge_claims(
    results: Path, profile: str, datasets: Sequence[str] | None, reference: Path = REFERENCE
) -> pd.DataFrame:
    """Judge every claim and write `results/tables/claims`.md, .csv and .tex; what `benchmarks.claims.judge.judge`
    gives.

    A data set without records of a study and profile in `results` is judged by the committed reference, if that has
    them; what is written tells which records were taken. Memory and runtime are those of one's own GPU, else of the
    reference's. Without either they are not measured, and no prediction decides a claim: what it says is told.

    Args:
        datasets: whose records to judge by; None for all that there are.
        reference: folder of the committed reference.

    Raises:
        UserError: there are no records, or those of two data sets answer the same question.
    """
    numbers, failures, used = [], [], []
    for study in [study for study in find_studies([]) if study.has_points]:
        own = _of(read_records(results / "records", [study.name]), profile, datasets)
        have = {part.dataset for part in own}
        committed = _of(read_records(reference / "records", [study.name]), profile, datasets)
        lent = [part for part in committed if part.dataset not in have]
        records = own + lent
        used += [(study.name, part.dataset, "") for part in own]
        used += [(study.name, part.dataset, " (reference)") for part in lent]
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
    claims = read_claims(PUBLISHED / "claims.toml")
    verdicts = judge(claims, _joined(numbers), published, _joined(failures), unmeasured)
    predicted = _joined([part.predicted for part in by_study.values() if part.gpu is None])
    verdicts = _with_predictions(verdicts, claims, predicted)
    basis = ", ".join(f"{study} on {dataset}{lent}" for study, dataset, lent in used)
    write_claims(verdicts, results / "tables" / "claims", f"Our records: profile {profile}, {basis}.")
    return verdicts


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _with_predictions(verdicts: pd.DataFrame, claims: Sequence[Claim], predicted: pd.DataFrame) -> pd.DataFrame:
    """Tell of what is not measured what is predicted. It stays not measured."""
    foreseen = judge(claims, predicted, {})
    known = (verdicts["verdict"] == Verdict.NOT_MEASURED) & (foreseen["verdict"] != Verdict.NOT_MEASURED)
    return verdicts.assign(numbers=verdicts["numbers"].mask(known, f"{NO_GPU}; predicted " + foreseen["numbers"]))


def _check(found: Collection[str], asked: Sequence[str] | None, profile: str, results: Path) -> None:
    if missing := sorted(set(asked or ()) - set(found)):
        raise UserError(f"no records of data set {missing[0]} with profile {profile}; run it first")
    if not found:
        raise UserError(f"no records of profile {profile} in {results}; run `python -m benchmarks run` first")
    for paper in set(PAPER_DATASETS.values()):
        rivals = sorted(name for name in found if PAPER_DATASETS.get(name, name) == paper)
        if len(rivals) > 1:
            raise UserError(f"records of {' and '.join(rivals)} answer the same claims; choose with --data")


def _of(records: Sequence[Records], profile: str, datasets: Collection[str] | None) -> list[Records]:
    return [part for part in records if part.profile == profile and (datasets is None or part.dataset in datasets)]
