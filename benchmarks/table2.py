"""Table 2: segmentation performance of every model, and one case as each of them sees it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.jobs import Job
from benchmarks.pool import run_jobs
from benchmarks.scoring import scored_split
from benchmarks.tables import MODEL_NAMES, Runs, read_published, seed_counts, summarise, write_table
from ossnet.data.sources import open_with_progress
from ossnet.errors import UserError
from ossnet.files import replacing, write_text
from ossnet.profile import Profile

MODELS = tuple(MODEL_NAMES)
PUBLISHED = Path(__file__).resolve().parent.parent / "results" / "published"


def make_jobs(
    profile: Profile, source: str, results: Path, models: Sequence[str] = MODELS, seeds: Sequence[int] | None = None
) -> list[Job]:
    """All runs of the table, the slowest kind first so that the last ones to run are short.

    Raises:
        UserError: the data set has no case to score.
    """
    dataset = open_with_progress(source, profile.generator(source), results / "cache")
    scored_split(dataset)
    return [
        Job.under(results / "runs", profile.spec(model, dataset, seed), source, profile.name, profile.effort(model))
        for model in models
        for seed in (profile.seeds if seeds is None else seeds)
    ]


def run(profile: Profile, source: str, results: Path, workers: int, threads: int) -> bool:
    """Make what is missing of the table's runs, then the table and the figure's data; whether all runs have a result.

    The tables of other data sets and profiles that were made in this folder before stay in the files.
    """
    jobs = make_jobs(profile, source, results)
    run_jobs(jobs, results / "cache", workers, threads, f"Table 2 on {jobs[0].spec.dataset}")
    tables = results / "tables"
    runs = results / "runs"
    parts = _remember(tables / "table2.runs.json", f"{jobs[0].spec.dataset}/{profile.name}", runs, jobs)
    write(parts, runs, PUBLISHED, tables / "table2")
    done = [job for job in jobs if job.done]
    if done:
        _write_figure_case(done, tables / f"table2-{jobs[0].spec.dataset}-{profile.name}.npz")
    return len(done) == len(jobs)


def write(parts: dict[str, list[str]], runs: Path, published: Path, stem: Path) -> None:
    """The table of all folders of `runs` that are in `parts` (by `dataset/profile`), as `stem`.md, .csv and .tex."""
    scores, status = [], {}
    for part, folders in parts.items():
        for folder in (runs / name for name in folders):
            spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
            if (folder / "result.json").exists():
                scores.append(pd.read_csv(folder / "per_case.csv"))
            elif (folder / "failure.json").exists():
                failure = json.loads((folder / "failure.json").read_text(encoding="utf-8"))
                status[*part.split("/"), spec["model"]] = failure["reason"]
    if not scores:
        raise UserError(f"no run has a result; see log.txt and failure.json in the folders of {runs}")
    rows = pd.concat(scores, ignore_index=True)
    write_table(summarise(rows, read_published(published, "table2")), stem, Runs(seed_counts(rows), status))


def _remember(path: Path, part: str, runs: Path, jobs: Sequence[Job]) -> dict[str, list[str]]:
    """Which folders in `runs` make up the table, by `dataset/profile`; those of `part` are now those of `jobs`."""
    parts: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    parts = {name: folders for name, folders in parts.items() if all((runs / folder).is_dir() for folder in folders)}
    parts[part] = [job.folder.name for job in jobs]
    write_text(path, json.dumps(parts, indent=2) + "\n")
    return parts


def _write_figure_case(jobs: Sequence[Job], path: Path) -> None:
    """The first test case as each model's first seed segments it, as `paper_figures.segmentations.load` reads it."""
    first = {job.spec.model: job for job in reversed(jobs)}
    models = [model for model in MODELS if model in first]
    cases = [dict(np.load(first[model].folder / "case.npz", allow_pickle=False)) for model in models]
    shared = {name: cases[0][name] for name in ("case", "modality", "image", "label", "affine")}
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            models=np.array(models),
            predictions=np.stack([case["prediction"] for case in cases]),
            dice=np.array([case["dice"] for case in cases]),
            **shared,
        )
