"""Settings and jobs of SLURM, checked without one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.runs.slurm import SlurmExecutor, SlurmSettings
from ossnet.config import build
from ossnet.errors import UserError


def test_slurm_settings_are_checked() -> None:
    settings = build(SlurmSettings, {"gpus": 0, "extra": {"qos": "long", "nice": 1, "exclusive": True}}, "own.toml")
    assert settings.extra == {"qos": "long", "nice": 1, "exclusive": True}
    assert settings.extra["nice"] is not True
    with pytest.raises(UserError, match=r"own\.toml: gpu: unknown field; .*partition, account, gpus"):
        build(SlurmSettings, {"gpu": 1}, "own.toml")
    with pytest.raises(UserError, match="memory_gb"):
        build(SlurmSettings, {"memory_gb": 0}, "own.toml")


@pytest.mark.parametrize("missing", ["sbatch", "squeue"])
def test_without_slurm_the_user_is_told(tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in {"sbatch", "srun", "squeue", "scancel"} - {missing}:
        (tmp_path / command).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=missing):
        SlurmExecutor(print, tmp_path / "logs", SlurmSettings())


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[SlurmSettings], list[str]]:
    """The options of the job that SLURM gets for a run."""
    for command in ("srun", "squeue", "scancel"):
        (tmp_path / command).touch(mode=0o755)
    sbatch = tmp_path / "sbatch"
    sbatch.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/script\necho Submitted batch job 7\n')
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)

    def submit(settings: SlurmSettings) -> list[str]:
        (tmp_path / "run").mkdir(exist_ok=True)
        (task,) = SlurmExecutor(print, Path("my logs"), settings).submit([Path("run")])
        assert task.name == "slurm 7"
        prefix = "#SBATCH --"
        lines = (tmp_path / "script").read_text().splitlines()
        return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]

    return submit


def test_a_job_has_what_the_profile_says(sent: Callable[[SlurmSettings], list[str]], tmp_path: Path) -> None:
    # No key of accounting but the profile's.
    assert not [option for option in sent(SlurmSettings()) if option.startswith("wckey")]
    options = sent(SlurmSettings(partition="gpu", memory_gb=8, extra={"wckey": "own", "exclusive": True}))
    assert {"partition=gpu", "mem=8GB", "wckey=own", "exclusive", "requeue"} <= set(options)
    assert f"output='{tmp_path}/my logs/%j_0_log.out'" in options
