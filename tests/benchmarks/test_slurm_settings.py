"""What can be checked of SLURM without one."""

from pathlib import Path

import pytest

from benchmarks.slurm import SlurmExecutor, SlurmSettings
from ossnet.config import build
from ossnet.errors import UserError


def test_slurm_settings_are_checked() -> None:
    settings = build(SlurmSettings, {"gpus": 0, "extra": {"qos": "long", "nice": 1, "exclusive": True}}, "own.toml")
    assert settings.extra == {"qos": "long", "nice": 1, "exclusive": True}
    assert settings.extra["nice"] is not True
    with pytest.raises(UserError, match=r"own\.toml: gpu: unknown field; known are partition, account, gpus"):
        build(SlurmSettings, {"gpu": 1}, "own.toml")
    with pytest.raises(UserError, match="memory_gb"):
        build(SlurmSettings, {"memory_gb": 0}, "own.toml")


@pytest.mark.parametrize("missing", ["sbatch", "squeue"])
def test_without_slurm_the_user_is_told(tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in {"sbatch", "srun", "squeue", "scancel"} - {missing}:
        (tmp_path / command).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=f"^no SLURM here: {missing} is not on PATH; leave out --executor slurm$"):
        SlurmExecutor(print, tmp_path / "logs", SlurmSettings())
