"""Run: one model trained on one data set with one recipe and seed, and the folder that holds it.

`RunSpec.identity` decides which runs are the same. In `benchmarks` this is called a training, and a run is one way of
scoring the trained model.
"""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.config import build, digest, newer, plain
from ossnet.data.case import Dataset
from ossnet.data.folds import Fold
from ossnet.data.modalities import without_case
from ossnet.data.prepared import PreparedCases
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.files import write_text
from ossnet.locks import hold
from ossnet.model import ModelConfig, SegmentationModel
from ossnet.network.execution import set_execution
from ossnet.registry import model_type
from ossnet.training.checkpoint import load_weights
from ossnet.training.distributed import ALONE, Processes
from ossnet.training.learned_labels import names_after_start, names_to_learn, write_label_names
from ossnet.training.loop import EpochReport, train
from ossnet.training.recipe import Recipe
from ossnet.training.recorded_split import record_split
from ossnet.training.seen_cases import SeenCases, seen_cases_of


@dataclass(frozen=True, config=STRICT)
class RunSpec:
    """Specification of a run: the settings that decide its numbers.

    The code, versions of libraries and the machine, which decide how the numbers are rounded, are provenance.

    Attributes:
        model: name of the model in the registry.
        network: fields of the model's configuration, without those in `size`. A profile sets all of them, so that a
            changed default makes another run.
        dataset: name of the data set.
        fingerprint: fingerprint of the data set.
        modalities: names of the image channels, in order.
        preprocessing: preprocessing of the cases.
        recipe: recipe of the training.
        seed: seed of the initial weights and of the training.
        schema_version: version that is raised whenever the same specification would give other numbers.
        imported: digest of the weights of a model that was trained by other code and imported, see
            `ossnet.training.released_run`; None for one that is trained here. The recipe and the seed of an imported
            model are not verified, and the fingerprint of its data is unknown and empty.
        fold: fold of the data set that the model is trained on; None for other splits, which the fingerprint has, too.
        start: identity of the run whose weights the training starts from; None for initial weights by `seed`.
    """

    model: str
    network: dict[str, Any]
    dataset: str
    fingerprint: str
    modalities: tuple[str, ...]
    preprocessing: Preprocessing
    recipe: Recipe
    seed: int = Field(ge=0)
    schema_version: Literal[1, 2] = 2
    imported: str | None = newer(None)
    fold: Fold | None = newer(None)
    start: str | None = newer(None)

    @property
    def identity(self) -> str:
        """Identity of the run: SHA-256 of its specification as JSON with sorted keys, hexadecimal.

        Hashed are the names and values of all fields, those of the preprocessing and the recipe included. A field that
        was added after the first records were made is left out while it has its default (`ossnet.config.newer`), so
        that older runs keep their identity.

        Not hashed are names of classes and modules, the order of fields, the code (`schema_version` stands for it),
        versions of libraries, the device, the number of threads, and the paths of data and results. The data enter by
        their name, fingerprint and modalities.
        """
        return digest(plain(self))

    @property
    def size(self) -> dict[str, Any]:
        """Fields of the model's configuration that follow from the data and their preprocessing, in every model."""
        return {
            "shape": self.preprocessing.shape,
            "modalities": len(self.modalities),
            "classes": self.preprocessing.classes,
            "nested": self.preprocessing.regions is not None,
        }

    @property
    def config(self) -> ModelConfig:
        """Complete configuration of the model.

        Raises:
            UserError: the model is unknown, or its configuration refuses a field.
        """
        kind = model_type(self.model)
        if self.size["nested"] and not kind.nests_regions:
            raise UserError(f"model {self.model} has no nested regions; leave out preprocessing.regions")
        config: ModelConfig = build(kind.config_type, self.network | self.size, f"model {self.model}, network")
        return config

    def make_model(self) -> SegmentationModel:
        """Make the model with the initial weights of this seed; torch's global generator is left as it was.

        Raises:
            UserError: the model is unknown, or its configuration refuses a field.
        """
        kind, config = model_type(self.model), self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return kind(config)


def write_spec(folder: Path, spec: RunSpec) -> None:
    """Write `folder/spec.json`."""
    write_text(folder / "spec.json", json.dumps(plain(spec), indent=2, sort_keys=True) + "\n")


def read_spec(folder: Path) -> RunSpec:
    """Read `folder/spec.json`.

    Raises:
        UserError: there is no specification in the folder, or it is not one of this version.
    """
    path = folder / "spec.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} is not the folder of a run: it has no readable spec.json") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no specification of a run; restore it or train that run again")
    return build(RunSpec, values, str(path))


def load_run(folder: str | Path, device: torch.device | str = "cpu") -> tuple[SegmentationModel, RunSpec]:
    """Load the trained model of a run, in evaluation mode and the recipe's precision, and its specification.

    Raises:
        UserError: the folder does not hold a complete run.
    """
    folder = Path(folder)
    spec = read_spec(folder)
    model = spec.make_model()
    weights = load_weights(folder / "model.safetensors")
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"the weights in {folder} are not those of its spec.json; train that run again") from error
    set_execution(model, spec.recipe.execution)
    return model.to(device).eval(), spec


def prepared_cases(
    spec: RunSpec, dataset: Dataset, cache: Path, model: SegmentationModel
) -> tuple[PreparedCases, PreparedCases]:
    """Return the training and the validation cases of a run, as its model reads them from the cache."""
    cases = PreparedCases(dataset, "train", spec.preprocessing, cache, spec.recipe.sampling, model.slicing)
    return cases, PreparedCases(dataset, "validation", spec.preprocessing, cache)


def started_from(spec: RunSpec, folder: Path) -> RunSpec:
    """Return a specification, changed to start from the weights of the run in a folder.

    Raises:
        UserError: there is no run in the folder, or it has another network than the specification.
    """
    start = read_spec(folder)
    theirs, ours = (
        {
            "model": of.model,
            "modalities": tuple(map(without_case, of.modalities)),
            "number of classes": of.preprocessing.classes,
            "regions": of.preprocessing.regions,
            **of.network,
        }
        for of in (start, spec)
    )
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise UserError(
                f"{folder} is no start for this training, since its {name} is {theirs.get(name)}, not {value}; choose "
                "another run, or the same setting"
            )
    return replace(spec, start=start.identity)


def _load_start(model: SegmentationModel, spec: RunSpec, folder: Path | None) -> tuple[Path, RunSpec]:
    """Load the weights that a training starts from into its model, and return where they are from.

    Raises:
        UserError: the run is not in the folder, or its weights do not fit the model, as on another grid.
    """
    if folder is None or read_spec(folder).identity != spec.start:
        raise UserError(f"the run that this training starts from is not in {folder}; restore it or train it again")
    before, theirs = load_run(folder)
    try:
        model.load_state_dict(before.state_dict())
    except RuntimeError as error:
        raise UserError(
            f"{folder} is no start for this training, since its weights are for volumes of "
            f"{' x '.join(map(str, theirs.preprocessing.shape))} voxels, and this network needs others for "
            f"{' x '.join(map(str, spec.preprocessing.shape))}; set preprocessing.shape to that of the start"
        ) from error
    return folder, theirs


def train_run(
    spec: RunSpec,
    dataset: Dataset,
    folder: Path,
    cache: Path,
    device: torch.device,
    report: Callable[[EpochReport, float], None],
    report_prepared: Callable[[int, int], None] = lambda *_: None,
    processes: Processes = ALONE,
    start: Path | None = None,
) -> list[EpochReport]:
    """Train the model of a specification in a folder, or resume its training there, and return the history.

    Args:
        spec: specification of the run.
        dataset: data set with the splits `train` and `validation`.
        folder: folder of the run.
        cache: folder of prepared cases.
        device: device of the training.
        report: called after each epoch with its report and the estimated seconds to the end of the training.
        report_prepared: called before the first epoch, after each case of a split, with the number of cases prepared
            and their total.
        processes: processes that share the training, each of which calls this. The folder and the cache are the same
            for all of them; the first prepares the cases and writes the folder.
        start: folder of the run that the training starts from, if the specification names one.

    Raises:
        UserError: the folder holds a run of another specification, another process is training there, the data set has
            no training case or a case that cannot be prepared, `start` is another run or has learned other meanings of
            the label values, or `train` raises it.
    """
    processes.require_division(spec.recipe.batch_size, spec.recipe.norm_parts)
    refuse_another_run(folder, spec)
    if not dataset.splits["train"]:
        raise UserError(f"data set {dataset.name} has no case to train on; give at least one the split train")
    recipe = spec.recipe
    model = spec.make_model()
    names = names_to_learn(spec.preprocessing, dataset.label_names)
    before = None if spec.start is None else _load_start(model, spec, start)
    if before is not None:
        names = names_after_start(names, spec.preprocessing, before[0], before[1].preprocessing)
    model.to(device)
    cases, validation_cases = prepared_cases(spec, dataset, cache, model)
    with processes.first_alone():
        cases.prepare(report_prepared)
        validation_cases.prepare(report_prepared)
    history: list[EpochReport] = []

    def after_epoch(past: EpochReport) -> None:
        history.append(past)
        report(past, sum(p.seconds for p in history) / len(history) * (recipe.epochs - len(history)))

    # The folder is made only now, so that a wrong specification or data set leaves none behind.
    with hold(folder / "training.lock") if processes.is_first else nullcontext(True) as mine:
        if not mine:
            raise UserError(f"another process is training in {folder}; let it finish or choose another folder")
        with processes.first_alone():
            refuse_another_run(folder, spec)
            if processes.is_first:
                write_spec(folder, spec)
                if not has_begun(folder):  # Afterwards, the names may have been corrected by hand.
                    write_label_names(folder, names)
                record_split(folder, dataset)
                seen = SeenCases(cases.voxel_digests(), validation_cases.voxel_digests())
                seen_before = SeenCases({}, {}) if before is None else seen_cases_of(*before)
                # Without a record of the cases before, there is none of this run, which has seen them, too.
                if seen_before is not None:
                    seen.and_before(seen_before).write(folder)
        train(model, cases, validation_cases, recipe, spec.seed, folder, spec.identity, after_epoch, processes)
    return history


def has_begun(folder: Path) -> bool:
    """Return whether the first epoch of the run in a folder has ended."""
    return any((folder / name).exists() for name in ("checkpoint.pt", "model.safetensors", "result.json"))


def refuse_another_run(folder: Path, spec: RunSpec) -> None:
    """Raise a UserError if a folder holds another run, unless that failed before its first epoch ended."""
    if has_begun(folder) and (folder / "spec.json").exists() and read_spec(folder) != spec:
        raise UserError(f"{folder} holds a run of another configuration; choose another folder or delete it")
