"""What tests of every folder share."""

import gc
import os
import shutil
import signal
import struct
import sys
import tomllib

# Tests hold with any number of threads, but their tensors are so small that several threads only wait for each other:
# on a busy machine they take three times as long. Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator, Sequence
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor, nn

from benchmarks.machine.forkserver import FOR_MEASURING, FOR_RUNS, FOR_RUNS_WITHOUT_GPU, forkserver_context
from ossnet.config import merge
from ossnet.data.brats import MODALITIES
from ossnet.data.case import Dataset
from ossnet.data.nifti import write_label, write_volume
from ossnet.data.table import table_dataset
from ossnet.field import VoxelField
from ossnet.model import Batch, ModelConfig, SegmentationModel
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.network.released import DATASETS, released_config, released_state_dict
from ossnet.registry import model_type
from ossnet.training.profile import load_profile
from ossnet.training.run import RunSpec

# A shell lets what it starts in the background ignore Ctrl-C, which tests of interruption then wait for in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = (
    "benchmarks/runs/test_resilience.py",
    "benchmarks/runs/test_sweep_on_slurm.py",
    "ossnet/cli/test_torchrun.py",
    "ossnet/training/test_distributed.py",
    "ossnet/memory/test_workload.py",
    "ossnet/memory/test_footprint.py",
    "benchmarks/test_micro.py",
    "benchmarks/commands/test_standalone.py",
    "ossnet/memory/test_fits.py",
    "benchmarks/probes/test_released_memory.py",
    "ossnet/training/test_loop.py",
    "ossnet/test_contract.py",
    "benchmarks/commands/test_run.py",
    "benchmarks/probes/test_unet_variants.py",
    "benchmarks/runs/test_slurm.py",
    "test_reference.py",
    "test_wheel.py",
)
"""Files that take 10 to 40 s. Tests of a file run in one process, so that a long one must not be the last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of `LONGEST`, in any order."""
    longest = {Path(__file__).parent / name for name in LONGEST}
    items.sort(key=lambda item: item.path not in longest)


def pytest_collection_finish() -> None:
    """Leave what was imported out of the search for garbage, which then takes no second each time."""
    gc.freeze()


# What a test shows does not depend on how busy the machine is. Examples are few, since most take milliseconds.
settings.register_profile(
    "patient", settings(), max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def real_cases() -> Path:
    """The folder of real cases, which are no part of the repository; tests skip without it."""
    folder = os.environ.get("OSSNET_REAL_CASES")
    if not folder:
        pytest.skip("no real cases: OSSNET_REAL_CASES names no folder")
    return Path(folder).resolve()  # Tests change to folders of their own.


@pytest.fixture(scope="session")
def real_gliomas(real_cases: Path) -> list[dict[str, Path]]:
    """The files of two gliomas of 240x240x155 voxels, by the names that BraTS 2020 has for such files."""
    stems = dict(zip((*MODALITIES, "seg"), ("fla", "t1", "t1c", "t2", "label_by_algorithms"), strict=True))
    cases = sorted((real_cases / "tcga_glioma").iterdir())
    return [{name: case / f"{stem}.nii.gz" for name, stem in stems.items()} for case in cases]


@pytest.fixture(scope="session")
def overwrite() -> Callable[..., None]:
    """Replace bytes of a file: of (offset, struct format, value) as many as are given."""

    def edit(path: Path, *edits: tuple[int, str, Any]) -> None:
        contents = bytearray(path.read_bytes())
        for offset, form, value in edits:
            struct.pack_into(form, contents, offset, value)
        path.write_bytes(contents)

    return edit


@pytest.fixture(scope="session")
def forkserver() -> None:
    """Start the server of worker processes with what workers of both kinds import, not only those of the first test."""
    imports = FOR_RUNS if torch.cuda.device_count() else FOR_RUNS_WITHOUT_GPU
    forkserver_context([*imports, *FOR_MEASURING])
    ensure_running()


@pytest.fixture
def forbid() -> Iterator[Callable[[Path], None]]:
    """Take the permission to read a file from this process, also where the tests are run by root."""
    user = os.geteuid()

    def take(path: Path) -> None:
        path.chmod(0)
        if user == 0:
            os.seteuid(65534)

    yield take
    os.seteuid(user)


SHAPE = (12, 14, 10)
AFFINE = np.diag([-2.0, -1.0, 1.5, 1.0])
SPLITS = {"a": "train", "b": "train", "c": "train", "d": "validation", "e": "test"}


def ellipsoid(centre: tuple[float, ...], radii: tuple[float, ...] = (3, 4, 3)) -> np.ndarray:
    places = np.moveaxis(np.indices(SHAPE), 0, -1)
    return (((places - centre) / radii) ** 2).sum(axis=-1) < 1


@pytest.fixture(scope="session")
def make_data() -> Callable[[Path], Path]:
    """Make a data set in a folder and give its CSV: five cases, two modalities, an ellipsoid that is bright in both."""

    def make(folder: Path) -> Path:
        random = np.random.default_rng(0)
        rows = ["name,flair,t1,label,split"]
        for shift, (name, split) in enumerate(SPLITS.items()):
            label = ellipsoid((4 + shift, 6, 5))
            for modality in ("flair", "t1"):
                noise = random.normal(0, 0.1, SHAPE)
                write_volume(folder / f"{name}-{modality}.nii.gz", label + noise, AFFINE)
            write_label(folder / f"{name}-label.nii.gz", label, AFFINE)
            rows.append(f"{name},{name}-flair.nii.gz,{name}-t1.nii.gz,{name}-label.nii.gz,{split}")
        (folder / "own.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return folder / "own.csv"

    return make


@pytest.fixture(scope="session")
def data_csv(make_data: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CSV of one such data set, to be left as it is."""
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def dataset(data_csv: Path) -> Dataset:
    return table_dataset(data_csv)


TINY_NETWORK: dict[str, dict[str, Any]] = {
    "occupancy": {"encoder_channels": [4, 4], "decoder_width": 8, "decoder_blocks": 1, "patch_size": 3},
    "unet3d": {"encoder_channels": [8, 8], "decoder_channels": [8]},
    "unet2d": {"encoder_channels": [8, 8], "decoder_channels": [8], "slices_per_case": 4},
    "iosnet": {"encoder_channels": [4, 4], "decoder_width": 8},
    "hnoseg-xs": {"filters": 4, "blocks": 2},
    "segresnet": {"init_filters": 8, "window": [8, 8, 8]},
}
TINY: dict[str, Any] = {
    "preprocessing": {"shape": [16, 16, 16], "fit": "pad"},
    "recipe": {
        "epochs": 3,
        "batch_size": 2,
        "steps_per_epoch": 2,
        "sampling": {"count": 64},
        "validation": {"locations": 512, "every": 2},
    },
}


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], dict[str, Any]]:
    """Settings over the profile `laptop` that make a model learn the tiny data set in a moment."""
    return lambda model: merge(TINY, {"network": TINY_NETWORK[model_type(model).family]})


@pytest.fixture(scope="session")
def as_options() -> Callable[[dict[str, Any]], list[str]]:
    """Settings as the command line takes them: `--set recipe.epochs=3 ...`."""

    def options(settings: dict[str, Any], prefix: str = "") -> list[str]:
        pairs = []
        for key, value in settings.items():
            if isinstance(value, dict):
                pairs += options(value, f"{prefix}{key}.")
            else:
                pairs += ["--set", f"{prefix}{key}={value}"]
        return pairs

    return options


@pytest.fixture(scope="session")
def tiny_spec(dataset: Dataset, tiny: Callable[[str], dict[str, Any]]) -> Callable[..., RunSpec]:
    """The specification of a tiny run, with changes to its settings."""

    def make(model: str = "c", seed: int = 0, changes: dict[str, Any] | None = None) -> RunSpec:
        return load_profile("laptop").spec(model, dataset, seed, merge(tiny(model), changes or {}))

    return make


PLUGGED_IN = Path(__file__).parent / "plugged_in"


@pytest.fixture
def plugged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the package of models in `tests/plugged_in`, as pip would, in a folder of its own."""
    project = tomllib.loads((PLUGGED_IN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = tmp_path / "site"
    metadata = site / f"plugged_in-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(PLUGGED_IN / "plugged_in.py", site)
    header = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(header, encoding="utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("plugged_in", None)


class IntensityModel(SegmentationModel):
    """Occupied where the first channel is above a threshold, which is its only parameter."""

    config_type: ClassVar[type[ModelConfig]] = ModelConfig
    family = "intensity"

    def __init__(self, config: ModelConfig, threshold: float) -> None:
        super().__init__()
        self.config = config
        self.threshold = nn.Parameter(torch.tensor(threshold))

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return (batch.images.mean() - self.threshold) ** 2

    @torch.no_grad()
    def field(self, image: Tensor) -> VoxelField:
        return VoxelField((image[0] > self.threshold).float())


@pytest.fixture(scope="session")
def intensity_model() -> Callable[..., IntensityModel]:
    """A model that needs no training: with a threshold between the bright and the dark, its segmentation is right."""

    def make(shape: tuple[int, int, int], modalities: int = 1, threshold: float = 0.5) -> IntensityModel:
        return IntensityModel(ModelConfig(shape, modalities), threshold)

    return make


@pytest.fixture
def half_space(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a released checkpoint whose network is occupied where the first voxel index is above 31.5.

    Unless told otherwise, it is for volumes of 64x64x48 voxels and has small layers, so that a segmentation takes a
    moment.
    """
    small = {"encoder_channels": (4, 4, 4), "decoder_width": 8, "decoder_blocks": 2, "patch_size": 3}

    def write(path: Path, variant: str, shape: Sequence[int] = (64, 64, 48), full: bool = False) -> Path:
        monkeypatch.setitem(DATASETS, "brats", {"shape": shape, "modalities": 4, **({} if full else small)})
        network = OccupancyNetwork(released_config(variant, "brats"))
        for name, value in network.decoder.state_dict().items():
            if "activation" in name:
                # P(x) / Q(x) = x.
                value.zero_()
                if name.endswith(".numerator"):
                    value[1] = 1
            elif "norm" not in name:
                value.zero_()
        with torch.no_grad():
            first = network.decoder.blocks[0].skip
            first.weight[0, 0], first.bias[0] = 1, -31.5
            network.decoder.head.weight[0, 0] = 1
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(released_state_dict(network), path)
        return path

    return write


@pytest.fixture
def brats_release() -> Callable[[Path, Sequence[int]], Path]:
    """Make cases of BraTS 2020 on grids of 60x60x43 voxels, all labelled from index 20 of the first axis on."""

    def make(folder: Path, numbers: Sequence[int]) -> Path:
        random = np.random.default_rng(0)
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])
        label = np.zeros((60, 60, 43), np.uint8)
        label[20:] = 4
        for number in numbers:
            name = f"BraTS20_Training_{number:03d}"
            for modality in MODALITIES:
                write_volume(folder / name / f"{name}_{modality}.nii", random.normal(size=label.shape), affine)
            write_label(folder / name / f"{name}_seg.nii", label, affine)
        return folder

    return make
