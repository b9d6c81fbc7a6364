"""Targets hand what the user gave to the commands behind them, whatever characters it holds."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]

RECORDER = f"""#!{sys.executable}
import json, sys
with open("calls", "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
"""

TAKEN_BY_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
TAKEN_BY_MAKE |= {"DATASET", "PROFILE", "JOBS", "OPTIONS", "SAVED", "CELL", "STUDY", "WEIGHTS", "REAL", "PYTHON"}
"""Variables by which a `make test` around these tests would change the targets within them."""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose Python only writes down what it is called with, in a folder with a space."""
    folder = tmp_path / "my checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, folder)
    (folder / ".venv" / ".ready").touch()
    python = folder / ".venv" / "bin" / "python"
    python.write_text(RECORDER, encoding="utf-8")
    python.chmod(0o755)
    return folder


def calls(folder: Path, *arguments: str, **environment: str) -> list[list[str]]:
    """Run a target; the arguments of each call of Python."""
    usual = {name: value for name, value in os.environ.items() if name not in TAKEN_BY_MAKE}
    subprocess.run(["make", *arguments], cwd=folder, env=usual | environment, check=True, capture_output=True)
    return [json.loads(line) for line in (folder / "calls").read_text(encoding="utf-8").splitlines()]


def test_a_data_set_and_a_profile_arrive_as_they_were_given(checkout: Path) -> None:
    data = 'brats:/it\'s my "data"'
    made = calls(checkout, "tables", "table1", "table2", "table3", f"DATASET={data}", "PROFILE=my profile.toml")
    run = ["-m", "benchmarks", "run", "--data", data, "--profile", "my profile.toml"]
    assert [call for call in made if call[1] == "benchmarks"] == [
        *(run, [*run, "table1"], [*run, "table2"], [*run, "table3"]),
    ]


def test_they_may_come_from_the_environment_and_have_defaults(checkout: Path) -> None:
    (run,) = calls(checkout, "table2", "JOBS=3", "OPTIONS=--force --retry-failed", DATASET="my cases.csv")
    options = ["--workers", "3", "--force", "--retry-failed"]
    assert run == ["-m", "benchmarks", "run", "--data", "my cases.csv", "--profile", "laptop", *options, "table2"]


def test_a_figure_is_drawn_after_its_study_and_claims_take_the_profile(checkout: Path) -> None:
    run, figure, claims = calls(checkout, "figure4", "claims", "DATASET=my cases.csv", "PROFILE=my.toml")
    assert run == ["-m", "benchmarks", "run", "--data", "my cases.csv", "--profile", "my.toml", "figure4"]
    assert figure == ["-m", "paper_figures", "figure4"]
    assert claims == ["-m", "benchmarks", "claims", "--profile", "my.toml"]


def test_the_ablations_are_four_studies_with_a_figure_each(checkout: Path) -> None:
    run, figures = calls(checkout, "ablations", "DATASET=liver")
    studies = ["ablations", "additions", "sizes", "borders"]
    assert run == ["-m", "benchmarks", "run", "--data", "liver", "--profile", "laptop", *studies]
    assert figures == ["-m", "paper_figures", *studies]


def test_the_file_of_a_study_arrives_as_it_was_given(checkout: Path) -> None:
    file = 'it\'s my "study".toml'
    run, figure = calls(checkout, "study", f"STUDY={file}")
    assert run[-1] == figure[-1] == file
    assert figure[:2] == ["-m", "paper_figures"]


def test_released_weights_are_scored_without_a_profile(checkout: Path) -> None:
    made = calls(checkout, "reproduce", "DATASET=brats:my data", "WEIGHTS=my weights", "OPTIONS=--threads 2")
    assert made == [
        ["-m", "benchmarks", "reproduce", "--data", "brats:my data", "--weights", "my weights", "--threads", "2"]
    ]


def test_both_data_sets_of_a_transfer_arrive(checkout: Path) -> None:
    real, options = "my real cases.csv", "--models c --train-on-target"
    transfer, figure = calls(checkout, "transfer", f"REAL={real}", "DATASET=liver", f"OPTIONS={options}")
    given = [real, "--data", "liver", "--profile", "laptop", *options.split()]
    assert transfer == ["-m", "benchmarks", "transfer", *given]
    assert figure == ["-m", "paper_figures", "transfer"]


@pytest.mark.parametrize(
    ("saved", "option"), [([], "--benchmark-compare"), (["SAVED=my own"], "--benchmark-compare=my own")]
)
def test_a_saved_run_to_compare_with_is_handed_on(checkout: Path, saved: list[str], option: str) -> None:
    (bench,) = calls(checkout, "bench-compare", *saved)
    assert bench[-1] == option
