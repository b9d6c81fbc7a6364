"""A run: one model trained on one data set from one seed, and the folder that holds it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.config import build, digest, plain
from ossnet.data.case import Dataset
from ossnet.data.prepared import PreparedCases
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.files import write_text
from ossnet.locks import hold
from ossnet.model import ModelConfig, SegmentationModel
from ossnet.network.execution import set_execution
from ossnet.registry import model_type
from ossnet.training.checkpoint import load_weights
from ossnet.training.seen_cases import LearnedCases
from ossnet.training.training import EpochReport, Recipe, train


@dataclass(frozen=True, config=STRICT)
class RunSpec:
    """Everything that decides a run's numbers, and nothing else.

    Attributes:
        model: a name of the registry.
        network: fields of the model's configuration; shape, modalities and classes follow from the others here. A
            profile gives all of them, so that another default makes another run.
        dataset: as results name it.
        fingerprint: of the data set.
        modalities: the image channels' names, in order.
        schema_version: raised whenever the same specification would come to other numbers.
    """

    model: str
    network: dict[str, Any]
    dataset: str
    fingerprint: str
    modalities: tuple[str, ...]
    preprocessing: Preprocessing
    recipe: Recipe
    seed: int = Field(ge=0)
    schema_version: Literal[1] = 1

    @property
    def identity(self) -> str:
        """SHA-256 of the specification, hexadecimal."""
        return digest(plain(self))

    @property
    def size(self) -> dict[str, Any]:
        """The fields of the model's configuration that follow from the data and their preprocessing."""
        return {
            "shape": self.preprocessing.shape,
            "modalities": len(self.modalities),
            "classes": self.preprocessing.classes,
        }

    @property
    def config(self) -> ModelConfig:
        """The model's whole configuration.

        Raises:
            UserError: unknown model, or a field that its configuration refuses.
        """
        kind = model_type(self.model)
        config: ModelConfig = build(kind.config_type, self.network | self.size, f"model {self.model}, network")
        return config

    def make_model(self) -> SegmentationModel:
        """The model with the initial weights of this seed.

        Raises:
            UserError: unknown model, or a field that its configuration refuses.
        """
        kind, config = model_type(self.model), self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return kind(config)


def write_spec(folder: Path, spec: RunSpec) -> None:
    """Write `folder/spec.json`."""
    write_text(folder / "spec.json", json.dumps(plain(spec), indent=2, sort_keys=True) + "\n")


def read_spec(folder: Path) -> RunSpec:
    """The specification of a run's folder.

    Raises:
        UserError: there is none, or it is not of this version.
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
    """The trained model of a run's folder, in evaluation mode and its recipe's precision, and its specification.

    Raises:
        UserError: the folder holds no whole run.
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


def train_run(
    spec: RunSpec,
    dataset: Dataset,
    folder: Path,
    cache: Path,
    device: torch.device,
    report: Callable[[EpochReport, float], None],
    report_prepared: Callable[[int, int], None] = lambda *_: None,
) -> list[EpochReport]:
    """Train the model of a specification in its folder, or go on with that; the course of the training.

    Args:
        report: called after each epoch with the seconds to go.
        report_prepared: called after each case of a split as (cases prepared, of how many), before the first epoch.

    Raises:
        UserError: the folder holds a run of another specification, another process is training there, the data set has
            no training case or one that cannot be prepared, or as `train` says.
    """
    _refuse_another_run(folder, spec)
    if not dataset.splits["train"]:
        raise UserError(f"data set {dataset.name} has no case to train on; give at least one the split train")
    recipe = spec.recipe
    model = spec.make_model().to(device)
    cases = PreparedCases(dataset, "train", spec.preprocessing, cache, recipe.sampling, model.slicing)
    validation_cases = PreparedCases(dataset, "validation", spec.preprocessing, cache)
    cases.prepare(report_prepared)
    validation_cases.prepare(report_prepared)
    history: list[EpochReport] = []

    def after_epoch(past: EpochReport) -> None:
        history.append(past)
        report(past, sum(p.seconds for p in history) / len(history) * (recipe.epochs - len(history)))

    # Only now is the folder touched, so that a mistake in what was asked leaves none behind.
    with hold(folder / "training.lock") as mine:
        if not mine:
            raise UserError(f"another process is training in {folder}; let it finish or choose another folder")
        _refuse_another_run(folder, spec)
        write_spec(folder, spec)
        LearnedCases(cases.voxel_digests(), validation_cases.voxel_digests()).write(folder)
        train(model, cases, validation_cases, recipe, spec.seed, folder, spec.identity, after_epoch)
    return history


def _refuse_another_run(folder: Path, spec: RunSpec) -> None:
    """A folder whose training failed before its first epoch holds nothing to lose, and may be taken over."""
    begun = any((folder / name).exists() for name in ("checkpoint.pt", "model.safetensors", "result.json"))
    if begun and (folder / "spec.json").exists() and read_spec(folder) != spec:
        raise UserError(f"{folder} holds a run of another configuration; choose another folder or delete it")
