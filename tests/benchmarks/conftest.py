"""A profile and a study whose runs take seconds, numbers as records give them, and a real SLURM."""

import mmap
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.probes.records import ProbeRecord
from benchmarks.report.statistics import describe
from benchmarks.runs.slurm import SlurmSettings
from benchmarks.studies.table1 import TABLE1
from benchmarks.study import Point, Probe, Study
from ossnet.training.profile import Profile

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")

# Seconds where SLURM would take longer: to look at a worker's memory (JobAcctGatherFrequency), to kill a cancelled one
# (KillWait), to start a job that was queued again (cred_expire, of which less than 5 s counts as 2 minutes). Ports of
# its own, and nothing is read from /etc or left there.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1
ReturnToService=2
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
KillWait=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


TINY_PROFILE = """\
base = "laptop"
seeds = [0, 1]
[studies]
locations_scale = 256
[datasets.own.every]
preprocessing = {shape = [16, 16, 16], fit = "pad"}
recipe = {epochs = 3, batch_size = 2, steps_per_epoch = 2, validation = {locations = 512, every = 2}}
[datasets.own.occupancy]
network = {encoder_channels = [4, 4], decoder_width = 8, decoder_blocks = 1, patch_size = 3}
"""


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a profile with which the tiny data set is learned in a moment."""
    path = tmp_path_factory.mktemp("profiles") / "tiny.toml"
    path.write_text(TINY_PROFILE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_study() -> Study:
    """Two of Table 1's strategies from two seeds: four runs."""

    def grid(profile: Profile) -> list[Point]:
        return [point for point in TABLE1.grid(profile) if point.columns["locations"] == 2**13][:4]

    return Study(TABLE1.layout, grid)


MEGABYTE = 2**20


@pytest.fixture(scope="session")
def touch_memory() -> Callable[[int], None]:
    """Take so many megabytes that are new to the process, write something to every page, and give them back."""

    def touch(megabytes: int) -> None:
        with mmap.mmap(-1, megabytes * MEGABYTE) as block:
            block[:: mmap.PAGESIZE] = bytes(len(block) // mmap.PAGESIZE)

    return touch


Frame = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def records() -> Frame:
    """Make a number of each model, as of a table, from its value, low and high; `columns` change others or add some."""

    def make(intervals: Mapping[str, tuple[float, float, float]], **columns: object) -> pd.DataFrame:
        rows = [
            {"table": "table2", "dataset": "glioma", "profile": "laptop", "model": model, "quantity": "iou", "unit": "",
             "n": 16, "protocol": "dense", "value": value, "low": low, "high": high}
            for model, (value, low, high) in intervals.items()
        ]  # fmt: skip
        return pd.DataFrame(rows).assign(**columns)

    return make


@pytest.fixture(scope="session")
def scored(records: Frame) -> Frame:
    """Make them from each model's scores [seeds, cases], as `summarise` does."""

    def make(of_models: Mapping[str, Sequence[Sequence[float]]], **columns: object) -> pd.DataFrame:
        described = describe({model: pd.DataFrame(np.asarray(of, float)) for model, of in of_models.items()})
        frame = records({row.model: (row.mean, row.low, row.high) for row in described.itertuples()})
        return frame.assign(scores=list(described["scores"])).assign(**columns)

    return make


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmSettings]:
    """Settings of a small job for a SLURM that answers: one that is here already, else one of this machine alone.

    The latter takes root and SLURM's daemons, which are installed in continuous integration (`CI=true`) only; elsewhere
    the tests skip.
    """
    settings = SlurmSettings(gpus=0, cpus=1, memory_gb=1, time_min=5)
    if shutil.which("sinfo") and _answer("sinfo") is not None:
        yield settings
    else:
        _require_daemons()
        with _single_node():
            yield settings


def _require_daemons() -> None:
    if os.getuid() != 0:
        pytest.skip("no SLURM answers here, and only root can start one")
    if all(shutil.which(daemon) for daemon in ("munged", "slurmctld", "slurmd")):
        return
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    if os.environ.get("CI") != "true" or not shutil.which("apt-get"):
        pytest.skip(f"no SLURM here; on Debian: {' '.join(install)}")
    subprocess.run(["apt-get", "update"], check=True)
    subprocess.run(install, check=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


@contextmanager
def _single_node() -> Iterator[None]:
    host = socket.gethostname().partition(".")[0]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)  # munged insists that everyone can reach its socket
        (folder / "state").mkdir()
        (folder / "spool").mkdir()
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o400)
        controller_port, node_port = _free_ports(2)
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(host=host, folder=folder, controller_port=controller_port, node_port=node_port)
        )
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("SLURM_CONF", str(folder / "slurm.conf"))
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid", "seed-file": "munge.seed"}
        files["log-file"] = "munge.log"
        munge_options = [f"--{option}={folder / name}" for option, name in files.items()]
        stack.enter_context(_daemon(folder, "munged", "--foreground", *munge_options))
        _wait_for((folder / "munge.socket").exists, folder)
        stack.enter_context(_daemon(folder, "slurmctld", "-D"))
        stack.enter_context(_daemon(folder, "slurmd", "-D", "-N", host))
        _wait_for(lambda: _answer("sinfo", "--noheader", "--format=%T") == "idle\n", folder)
        stack.callback(_end_jobs, folder)
        yield


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{command[0]}.out").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _end_jobs(folder: Path) -> None:
    """Their processes would outlive the daemons."""
    _answer("scancel", "--me")
    _wait_for(lambda: _answer("squeue", "--noheader") == "", folder)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _answer(*command: str) -> str | None:
    """What a command prints; None where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _wait_for(condition: Callable[[], bool], folder: Path, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("*.out"))
            pytest.fail(f"SLURM did not come up or end its jobs:\n{logs}")
        time.sleep(0.1)


PROVENANCE = {"cpu": {"model": "a fine CPU", "torch_threads": 2}}

Record = Callable[..., ProbeRecord]


@pytest.fixture
def record() -> Record:
    """Make a record: of memory in whole GB, the decoder taking all but a quarter, or of seconds; or of a failure."""

    def make(
        study: str,
        probe: Probe,
        machine: str,
        gigabytes: float | None = None,
        seconds: float | None = None,
        failure: str | None = None,
    ) -> ProbeRecord:
        result: dict[str, Any] | None = None
        if gigabytes is not None:
            taken = round(gigabytes * 10**9)
            parts = {"decoder": 3 * taken // 4, "parameters": taken // 4}
            result = {"allocated_bytes": taken, "reserved_bytes": 2 * taken, "by_part": parts}
        if seconds is not None:
            result = {"seconds": [seconds] * 3, "median_s": seconds, "low_s": seconds / 2, "high_s": 2 * seconds}
            stages = {"encoder": 0.1, "gather": 0.2, "decoder": 0.3, "bookkeeping": 0.4}
            result |= {"stages": stages, "evaluated": [1000, 500], "locations_per_s": 750.0, "matmul_share": 0.25}
        return ProbeRecord(study, probe, machine, result, failure, PROVENANCE)

    return make
