"""`python -m benchmarks transfer`: models of one data set, all of them, applied to the labelled cases of another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.commands.points import CPU_THREADS, clear_training_failures, local_executor, missing_runs
from benchmarks.commands.request import end_as_interrupted
from benchmarks.experiments.estimate import assumed_rate
from benchmarks.experiments.grid import plan_run
from benchmarks.names import MODEL_NAMES
from benchmarks.report.score_records import collect, read_records
from benchmarks.report.transfer_table import FOLDER, STUDY, write_transfer
from benchmarks.runs.pace import in_words
from benchmarks.runs.plan import Plan, PlannedRun, pace_of
from benchmarks.runs.run_folder import work_left
from benchmarks.runs.sweep import Sweep, log, longest_first
from benchmarks.scoring.scoring import Job, Scoring, training_folder
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.scoring.transfer import Transfer
from benchmarks.studies.table2 import grid
from benchmarks.study import Point
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.data.modalities import with_modalities
from ossnet.data.sources import open_dataset, open_with_progress
from ossnet.errors import UserError
from ossnet.files import replacing, require_writable_folder
from ossnet.training.compared_labels import refuse_other_labels
from ossnet.training.profile import Profile, load_profile
from ossnet.training.run import started_from

DRAWN_CASES = 6
"""Number of cases whose images are kept for the figure."""


@dataclass(frozen=True)
class TransferRequest:
    """Options of `python -m benchmarks transfer`.

    Attributes:
        target: data set to whose cases the models are applied, as `ossnet.data.sources.open_dataset` takes it.
        source: data set that they are trained on.
        profile: name or TOML file of the profile of their trainings.
        results: the results folder.
        command: the command line, for the provenance of records.
        models: names of the models; empty for those of Table 2.
        modalities: modalities to train on; empty for all of the source.
        train_on_target: whether the models are also trained on the split `train` of the target.
        workers: number of runs at a time; None for one per GPU, or two without a GPU.
        threads: number of CPU threads per run; None for one.
        retry_failed: whether to try again what has failed before.
    """

    target: str
    source: str
    profile: str
    results: Path
    command: str
    models: Sequence[str] = ()
    modalities: Sequence[str] = ()
    train_on_target: bool = False
    workers: int | None = None
    threads: int | None = None
    retry_failed: bool = False


def transfer(request: TransferRequest) -> int:
    """Make the missing trainings and their scores, write records, tables and images, and print the table.

    Returns:
        The exit status: 0 if every run has a result, otherwise 1.

    Raises:
        UserError: an option, the data or the results folder cannot be used.
    """
    end_as_interrupted()
    for folder in ("", "cache", "runs", "trainings", FOLDER):
        require_writable_folder(request.results / folder)
    planning = _Planning.of(request)
    first = planning.from_source() + (planning.on_target() if request.train_on_target else [])
    _make(first, request)
    # The second trainings on the target start from the first on the source, which are done now.
    second = planning.continued_on_target() if request.train_on_target else []
    _make(second, request)
    planned = first + second
    plan = Plan(STUDY, planning.name, planning.profile.name, tuple(one.run for one in planned))
    collect(plan).write(request.results / FOLDER)
    _write_images(planning.target, planned, request.results / FOLDER / "images" / plan.stem)
    # From the file, as tables are collected from records later.
    (records,) = (
        stored
        for stored in read_records(request.results / FOLDER, [STUDY])
        if (stored.dataset, stored.profile) == (plan.dataset, plan.profile)
    )
    print(write_transfer(records, request.results / FOLDER / plan.stem))
    failed = [one for one in planned if not one.run.done]
    if failed:
        log(f"{len(failed)} of {len(planned)} runs have failed; use --retry-failed to try them again")
    return 1 if failed else 0


@dataclass(frozen=True)
class _Planning:
    """What the runs of a transfer follow from.

    Attributes:
        request: the options.
        profile: settings of the trainings.
        source: data set of the trainings, with the modalities of the models.
        target: data set of the cases, with the same modalities.
        points: models and seeds.
        name: name of both data sets, and of the modalities where they are not all of the source.
    """

    request: TransferRequest
    profile: Profile
    source: Dataset
    target: Dataset
    points: Sequence[Point]
    name: str

    @classmethod
    def of(cls, request: TransferRequest) -> "_Planning":
        profile = load_profile(request.profile)
        cache = request.results / "cache"
        whole = open_with_progress(request.source, profile.generator(request.source), cache)
        source = with_modalities(whole, request.modalities or whole.modalities)
        target = open_dataset(request.target, profile.generator(request.target), cache, workers=0)
        if target.fingerprint == source.fingerprint:
            raise UserError(f"{request.target} is the data set that the models are trained on; give another one")
        if target.name == source.name:
            raise UserError(
                f"{request.target} and {request.source} are both called {target.name} in results; list the cases of "
                "one of them in a table of another name"
            )
        try:
            target = with_modalities(target, source.modalities)
        except UserError as error:
            raise UserError(f"{error}; or choose modalities that both data sets have with --modalities") from error
        chosen = () if source is whole else source.modalities
        name = "-".join([source.name, "to", target.name, *chosen])
        return cls(request, profile, source, target, grid(profile, request.models or MODEL_NAMES), name)

    def from_source(self) -> list[PlannedRun]:
        """Plan the trainings on the source, each scored on the source's test cases and on all cases of the target."""
        job, to_target = self._job(self.request.source), self._job(self.request.source, self.request.target)
        planned, notes = [], set[str]()
        for point in self.points:
            transferred = Transfer.of(replace(point, target=self.target), self.profile, self.source)
            training = transferred.training
            note = refuse_other_labels(
                training_folder(self.request.results, training),
                training,
                self.target,
                [(index,) for index in range(1, training.preprocessing.classes)],
                source=self.source,
            )
            if note and note not in notes:
                log(note)
                notes.add(note)
            own = Segmentation.of(point, self.profile, self.source)
            planned += [
                self._planned(own, self.source, job, self.source.name, self.source.name),
                self._planned(transferred, self.source, to_target, self.source.name, self.target.name),
            ]
        return planned

    def on_target(self) -> list[PlannedRun]:
        """Plan the trainings on the target from new weights, scored on its other cases."""
        job = self._job(self.request.target)
        return [
            self._planned(scoring, self.target, job, self.target.name, self.target.name)
            for scoring in self._target_scorings()
        ]

    def continued_on_target(self) -> list[PlannedRun]:
        """Plan the trainings on the target that start from those on the source, which have to be done."""
        job, both = self._job(self.request.target), f"{self.source.name}, then {self.target.name}"
        planned = []
        for point, scoring in zip(self.points, self._target_scorings(), strict=True):
            before = self.profile.spec(point.model, self.source, point.seed)
            folder = training_folder(self.request.results, before)
            if (folder / "result.json").exists():
                training = started_from(scoring.training, folder)
                planned.append(
                    self._planned(replace(scoring, training=training), self.target, job, both, self.target.name)
                )
        return planned

    def _target_scorings(self) -> list[Transfer]:
        """Return the scorings of trainings on the target, with networks and grid of those on the source."""
        scorings = []
        for point in self.points:
            before = self.profile.spec(point.model, self.source, point.seed)
            same = {"network": before.network, "preprocessing": plain(before.preprocessing)}
            scorings.append(Transfer.of(replace(point, overrides=same), self.profile, self.target))
        return scorings

    def _job(self, source: str, target: str | None = None) -> Job:
        cache = str((self.request.results / "cache").resolve())
        threads, gpu = self.request.threads or CPU_THREADS, torch.cuda.is_available()
        of_target = {} if target is None else self.profile.generator(target)
        return Job(source, self.profile.generator(source), cache, threads, self.request.command, gpu, target, of_target)

    def _planned(self, scoring: Scoring, dataset: Dataset, job: Job, trained_on: str, cases: str) -> PlannedRun:
        return plan_run(scoring, {"trained_on": trained_on, "cases": cases}, dataset, job, self.request.results)


def _make(planned: Sequence[PlannedRun], request: TransferRequest) -> None:
    """Make the missing ones of some runs."""
    missing = missing_runs(planned, request.retry_failed)
    if not missing:
        return
    if request.retry_failed:
        clear_training_failures([one.run for one in missing])
    threads = request.threads or CPU_THREADS
    rate = assumed_rate(torch.device("cuda" if torch.cuda.is_available() else "cpu"), threads)
    pace = pace_of([one.run for one in planned], rate)
    seconds = sum(pace.seconds(*left) or 0 for left in work_left([one.run for one in missing]))
    training = f"about {in_words(seconds)} of training one after another" if seconds else "all of trained models"
    log(f"{len(missing)} of {len(planned)} runs to make, {training}")
    Sweep(longest_first(missing), local_executor(request.workers), pace, "runs").run()


def _write_images(target: Dataset, planned: Iterable[PlannedRun], stem: Path) -> None:
    """Write `stem`-CASE.npz for the first cases of a data set, with the segmentation of the first seed of each model.

    The arrays: `case` and `modality`, texts without axes; `image` [H, W, D] float; `label` [H, W, D] bool; `models` and
    `trained_on` [m] texts; in their order `predictions` [m, H, W, D] bool; `affine` [4, 4].
    """
    first: dict[tuple[str, str], Path] = {}
    for one in planned:
        if one.run.done and one.run.columns["cases"] == target.name:
            first.setdefault((one.run.model, str(one.run.columns["trained_on"])), one.run.folder / "cases")
    with_any = [name for name in target.names if any((folder / f"{name}.npz").exists() for folder in first.values())]
    for name in with_any[:DRAWN_CASES]:
        path = Path(f"{stem}-{name}.npz")
        found = {key: folder / f"{name}.npz" for key, folder in first.items() if (folder / f"{name}.npz").exists()}
        if path.exists() and all(file.stat().st_mtime <= path.stat().st_mtime for file in found.values()):
            continue
        case = target.load(name)
        assert case.label is not None
        arrays: dict[str, Any] = {"predictions": np.stack([_prediction(file) for file in found.values()])}
        arrays |= {"models": np.array([model for model, _ in found]), "trained_on": np.array([on for _, on in found])}
        arrays |= {"case": np.array(name), "modality": np.array(case.modalities[0])}
        with replacing(path) as temporary:
            np.savez_compressed(temporary, **arrays, image=case.image[0], label=case.label > 0, affine=case.affine)


def _prediction(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as file:
        prediction: np.ndarray = file["prediction"]
        return prediction
