"""The provenance of a result: command, code, versions and machine.

It names no host, no user, and no path apart from those in the command that was typed.
"""

import os
import platform
import subprocess
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pynvml
import torch

from benchmarks.machine.nvml import Gpu, none_if_refused, query

CUDA_VARIABLES = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "CUBLAS_WORKSPACE_CONFIG")
"""Environment variables that change memory or time on a GPU."""

DISTRIBUTIONS = (
    "ossnet",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "monai",
    "nibabel",
    "nilearn",
    "scikit-image",
    "pydantic",
    "pytorch_optimizer",
    "safetensors",
    "submitit",
)
"""Distributions whose versions are recorded."""


def provenance(command: str, device: torch.device) -> dict[str, object]:
    """Describe what a result is being made with, as values that JSON can hold.

    Args:
        command: command that the user typed.
        device: device of the work.

    Returns:
        `command`; `device`; `commit` and `dirty` (see `git_state`); `versions` by distribution, and of `python`;
        `platform` (system, release, machine); `cpu`, see `cpu_state`; `memory_bytes` of the machine; `gpu`, see
        `gpu_state`; `cuda`, see `cuda_state`; `slurm` (job_id, array_task_id, partition), or None outside a SLURM job.
    """
    commit, dirty = git_state(Path(__file__).resolve().parent)
    return {
        "command": command,
        "commit": commit,
        "dirty": dirty,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in DISTRIBUTIONS},
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "cpu": cpu_state(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "device": str(device),
        "gpu": gpu_state(device),
        "cuda": cuda_state(device),
        "slurm": _slurm(),
    }


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit (full SHA) that a folder is checked out at, and whether files outside `results/` have changed.

    Both are None where the folder holds no tracked file, such as that of an installed package, or git is missing. A
    checkout of another user, such as one that is mounted into a container, is read like one's own.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit or not _git(folder, "ls-files", "."):
        return None, None
    changes = _git(folder, "status", "--porcelain", "--", ":(top)", ":(top,exclude)results")
    return commit, None if changes is None else bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return the output of git, or None where it fails or the folder is in no repository of the folder's owner.

    Git's environment variables are left out, since in a hook they name another repository.
    """
    top = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)
    if top is None or (top / ".git").stat().st_uid != folder.stat().st_uid:
        return None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # Several runs start at once: none may take the lock of the index. Git does not refuse a repository of another owner
    # if it is named; that owner wrote the code that is running.
    command = ["git", "--no-optional-locks", f"--git-dir={top / '.git'}", f"--work-tree={top}", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def cpu_state() -> dict[str, Any]:
    """Describe the CPU.

    Returns:
        `model`; `family` (family, model and stepping as numbers) and `instructions` (the set that torch uses), which
        distinguish CPUs that round differently under one model's name; `cores` of the machine; `usable_cores` of this
        process; `torch_threads`.
    """
    fields = _cpu_fields()
    return {
        "model": fields.get("model name") or platform.processor() or platform.machine(),
        "family": " ".join(fields.get(name, "-") for name in ("cpu family", "model", "stepping")),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "usable_cores": _usable_cores(),
        "torch_threads": torch.get_num_threads(),
    }


def gpu_state(device: torch.device) -> dict[str, Any] | None:
    """Describe a GPU: `name`, `uuid`, `memory_bytes`, `driver` and `cuda` (the newest that the driver supports).

    A value is None where the driver refuses it, as it does for the memory of some GPUs that share the CPU's. The whole
    is None for a device that is no GPU, and where the driver does not know it.
    """
    return query(device, _state)


def _state(gpu: Gpu) -> dict[str, Any]:
    memory = none_if_refused(lambda: pynvml.nvmlDeviceGetMemoryInfo(gpu.handle))
    cuda = none_if_refused(pynvml.nvmlSystemGetCudaDriverVersion_v2)
    return {
        "name": none_if_refused(lambda: pynvml.nvmlDeviceGetName(gpu.handle)),
        "uuid": gpu.uuid,
        "memory_bytes": None if memory is None else memory.total,
        "driver": none_if_refused(pynvml.nvmlSystemGetDriverVersion),
        "cuda": None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
    }


def cuda_state(device: torch.device) -> dict[str, Any] | None:
    """Describe what torch uses to compute on a GPU; None for a device that is none.

    Returns:
        `runtime`, the version of CUDA that torch was built with; `cudnn`, its version; `matmul_tf32` and `cudnn_tf32`,
        whether float32 products and convolutions may be computed in TF32; `environment`, those of `CUDA_VARIABLES` that
        are set.
    """
    if device.type != "cuda":
        return None
    with warnings.catch_warnings():
        # Newer versions of torch recommend other names, which older ones do not have.
        warnings.simplefilter("ignore")
        tf32 = {
            "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        }
    return {
        "runtime": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        **tf32,
        "environment": {name: os.environ[name] for name in CUDA_VARIABLES if name in os.environ},
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _cpu_fields() -> dict[str, str]:
    """Read the fields of Linux's first CPU by name; return nothing elsewhere.

    `py-cpuinfo` would start several processes in every run, and leaves out a stepping of 0, which is a CPU's own.
    """
    if sys.platform != "linux":
        return {}
    first, _, _ = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")
    fields = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in fields}


def _usable_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()


def _slurm() -> dict[str, str | None] | None:
    if "SLURM_JOB_ID" not in os.environ:
        return None
    variables = {"job_id": "JOB_ID", "array_task_id": "ARRAY_TASK_ID", "partition": "JOB_PARTITION"}
    return {name: os.environ.get(f"SLURM_{variable}") for name, variable in variables.items()}
