"""Models that are trained once, a folder to work in, and commands that are refused."""

import io
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ossnet.cli.__main__ import main
from ossnet.config import merge

ENOUGH_TO_LEARN = {
    "recipe": {
        **{"epochs": 8, "steps_per_epoch": 6, "optimization": {"learning_rate": 0.03}},
        "sampling": {"count": 512, "strategy": "border", "border_width": 5},
    }
}


class Training(NamedTuple):
    """A training that is done: its command, its folder, and what it printed."""

    command: list[str]
    run: Path
    out: str
    err: str


@pytest.fixture(scope="session")
def learned(
    data_csv: Path,
    tiny: Callable[[str], dict[str, Any]],
    as_options: Callable[[dict[str, Any]], list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Training]:
    """Train a model until it finds the ellipsoids, once in a session. Its folder is to be left as it is."""

    @cache
    def train(model: str) -> Training:
        folder = tmp_path_factory.mktemp(model)
        command = ["train", "--data", str(data_csv), "--model", model, "--device", "cpu"]
        command += ["--out", str(folder / "run"), "--cache", str(folder / "cache")]
        command += as_options(merge(tiny(model), ENOUGH_TO_LEARN))
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(io.StringIO()) as out,
            redirect_stderr(io.StringIO()) as err,
        ):
            patch.setattr("ossnet.progress.LINE_INTERVAL_S", 0.0)
            assert main(command) == 0
        return Training(command, folder / "run", out.getvalue(), err.getvalue())

    return train


@pytest.fixture
def place(learned: Callable[[str], Training], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to work in: a data set of one's own in `data`, a trained model in `run`."""
    shutil.copytree(data_csv.parent, tmp_path / "data")
    shutil.copytree(learned("unet3d").run, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    """All files but the cache of whole prepared cases."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.name.startswith(".") or "results/cache" not in str(path))
    }


@pytest.fixture
def refused(place: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Check that a command ends with status 2 and one line that has some words, and leaves nothing behind."""

    def check(command: Sequence[str], *words: str) -> None:
        before = files(place)
        capsys.readouterr()
        assert main(command) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert re.fullmatch(r"ossnet: .*\n", captured.err)
        assert [word for word in words if word not in captured.err] == []
        assert files(place) == before

    return check
