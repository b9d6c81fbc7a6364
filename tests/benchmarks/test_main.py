"""Every kind of study through every command, and what the command line refuses."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.cli import run as command_line
from benchmarks.commands.request import Request
from benchmarks.layout import Layout
from benchmarks.probes import predictions
from benchmarks.probes.records import read_records
from benchmarks.studies.table3 import TABLE3
from benchmarks.study import Study
from benchmarks.workload import Probe

Capture = pytest.CaptureFixture[str]
Run = Callable[..., int]
UseStudies = Callable[..., None]

REPRODUCE = ["reproduce", "--data", "brats:none", "--weights", "none", "--protocol"]
PROBE = Probe("memory", "c", "cube", (64, 64, 64), "inference", 2**8)
PROBES_ONLY = Study(
    Layout("table3", "Table 3"),
    predicted=lambda: [PROBE],
    measured=lambda device_type: [],
    tables=TABLE3.tables,
    evidence=lambda: [PROBE],
)


@pytest.fixture(autouse=True)
def _only_tiny_studies(tiny_study: Study, use_studies: UseStudies, monkeypatch: pytest.MonkeyPatch) -> None:
    use_studies(tiny_study, PROBES_ONLY)
    answered = {"allocated_bytes": 10**9, "reserved_bytes": 10**9, "by_part": {}}
    monkeypatch.setattr(predictions, "predict_probe", lambda probe: answered)


@pytest.mark.parametrize("kind", ["points", "probes", "both"])
def test_every_kind_of_study_goes_through_every_command(
    kind: str, finished: Path, run_tiny: Run, tiny_study: Study, use_studies: UseStudies, capsys: Capture
) -> None:
    with_probes = replace(
        tiny_study, predicted=PROBES_ONLY.predicted, measured=PROBES_ONLY.measured, tables=TABLE3.tables
    )
    study = {"points": tiny_study, "probes": PROBES_ONLY, "both": with_probes}[kind]
    use_studies(study)
    # What was trained is not trained again.
    for folder in ("tables", "records"):
        shutil.rmtree(finished / folder)
    in_finished = ["--results", str(finished)]
    assert run_tiny(finished, "--dry-run", study=study.name) == 0
    listing = capsys.readouterr().out
    assert ("4 runs (4 done)" in listing) == study.has_points
    assert ("1 probes to answer" in listing) == study.has_probes
    assert not (finished / "tables").exists()
    assert run_tiny(finished, study=study.name) == 0
    table = (finished / "tables" / f"{study.name}.md").read_text()
    caption, cells = table.split("\n\n")[:2]
    assert capsys.readouterr().out == f"\n{caption}\n\n{cells}\n\n{finished}/tables/{study.name}.md\n"
    written = {path.name: path.read_bytes() for path in (finished / "tables").iterdir()}
    assert {f"{study.name}.{ending}" for ending in ("md", "csv", "tex")} <= written.keys()
    assert (f"{study.name}-probes.csv" in written) == (kind == "both")
    assert run_tiny(finished, "--retry-failed", study=study.name) == 0
    capsys.readouterr()
    assert main(["status", *in_finished]) == 0
    status = capsys.readouterr().out
    assert ("4 runs, 4 done" in status) == study.has_points
    assert ("1 probes, 1 done" in status) == study.has_probes
    shutil.rmtree(finished / "tables")
    assert main(["collect", study.name, *in_finished]) == 0
    assert capsys.readouterr().out == f"{finished}/tables/{study.name}.md\n"
    assert {path.name: path.read_bytes() for path in (finished / "tables").iterdir()} == written
    if study.has_points:
        assert main(["claims", *in_finished, "--profile", "tiny"]) == 0
        output = capsys.readouterr().out
        assert "Our records: does not hold 0, not measured " in output
        assert output.endswith(f"{finished}/tables/claims.md\n")
        # The tiny data set stands for none of the paper's, whose own tables are judged all the same.
        claim = pd.read_csv(finished / "tables" / "claims.csv").set_index("claim").loc["a-gain-brats"]
        assert (claim["verdict"], claim["verdict_published"]) == ("not measured", "holds")
        # A training takes seconds: only one is made again by force.
        use_studies(replace(study, grid=lambda profile: tiny_study.grid(profile)[:1]))
    if study.has_probes:
        assert run_tiny(finished, "--force", study=study.name) == 0
        (record,) = read_records(finished, [study.name])
        assert record.probe == PROBE
        assert "--force" in record.provenance["command"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "table9"], "unknown study 'table9'; choose from table1, table3"),
        (["run", "--profile", "desktop"], "unknown profile 'desktop'"),
        (["run", "--workers", "0"], "--workers 0: give a whole number above 0"),
        (["run", "--threads", "-1"], "--threads -1: give a whole number above 0"),
        (["run", "--data", "moon"], "unknown data 'moon'"),
        (["run", "--executor", "slurm"], "no SLURM here: sbatch is not on PATH"),
        (["collect"], "no results of table1, table3; make them with `python -m benchmarks run`"),
        (["claims", "--profile", "none"], "no records with profile none in "),
        (["run", "table3", "--models", "c"], "--models has no effect here: it is for studies that train models"),
        (["run", "table3", "--threads", "2"], "--threads has no effect here: it is for studies that train models"),
        (["run", "--executor", "slurm", "--workers", "2"], "--workers has no effect here: it is for --executor local"),
        (["run", "--shared"], "--shared has no effect here: it is for named studies"),
        (
            ["status", "table3", "--profile", "tiny"],
            "--profile has no effect here: it is for studies that train models",
        ),
        (
            ["verify", "table1", "c", "dice", "--no-train", "--seed", "1"],
            "--seed has no effect here: it is for a training",
        ),
        (
            [*REPRODUCE, "dense", "--locations", "9"],
            "--locations has no effect here: it is for --protocol paper or rel",
        ),
        ([*REPRODUCE, "paper", "--extraction", "dense"], "--extraction has no effect here: it is for --protocol dense"),
        (["verify", "table3", "c", "dice"], "table3 trains no model; choose from table1"),
    ],
)
def test_a_users_mistake_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main([*arguments, "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmarks: ")
    assert message in line


@pytest.mark.parametrize("folder", ["", "tables", "runs"])
def test_a_results_folder_that_cannot_be_written_is_refused_before_the_work(
    folder: str, run_tiny: Run, tmp_path: Path, capsys: Capture
) -> None:
    results = tmp_path / "results"
    (results / folder).parent.mkdir(exist_ok=True)
    (results / folder).touch()
    assert run_tiny(results) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"benchmarks: cannot write {results / folder}: ")
    assert [path.name for path in results.glob("*")] == [folder] * bool(folder)


def test_a_results_folder_in_whose_name_job_numbers_would_be_put_is_refused(
    run_tiny: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (tmp_path / "run%j").mkdir()
    monkeypatch.chdir(tmp_path / "run%j")
    assert run_tiny(Path("results")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(part in line for part in ("--results results: ", f"{tmp_path}/run%j/results", "choose a folder without"))
    assert not Path("results").exists()


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What would be run."""
    requests: list[Request] = []
    monkeypatch.setattr(command_line, "run", lambda request: requests.append(request) or 0)
    return requests


def test_without_a_name_all_studies_but_those_made_by_name_are_run(
    tiny_study: Study, use_studies: UseStudies, requests: list[Request], tmp_path: Path
) -> None:
    use_studies(tiny_study, PROBES_ONLY, replace(PROBES_ONLY, layout=Layout("scaling", ""), only_by_name=True))
    for names in ([], ["scaling"], ["table3", "table1"], ["table3", "--executor", "slurm"]):
        assert main(["run", *names, "--results", str(tmp_path)]) == 0
    studies = [[study.name for study in request.studies] for request in requests]
    assert studies == [["table1", "table3"], ["scaling"], ["table1", "table3"], ["table3"]]
    # Measuring takes minutes, and is for those who name the study; a machine that sends jobs to a cluster does not.
    assert [request.measure for request in requests] == [False, True, True, False]


@pytest.mark.parametrize("option", ["retry_failed", "force", "shared"])
def test_options_reach_the_request(option: str, requests: list[Request], tmp_path: Path) -> None:
    command = ["run", "table3", "--results", str(tmp_path), f"--{option.replace('_', '-')}"]
    assert main(command) == 0
    line = " ".join(["python", "-m", "benchmarks", *command])
    assert requests == [Request([PROBES_ONLY], tmp_path, line, **{option: True})]


def test_help_and_unknown_commands(capsys: Capture) -> None:
    for arguments, status in ((["--help"], 0), (["sweep"], 2), ([], 2)):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == status
    output = capsys.readouterr().out
    assert all(command in output for command in ("run", "status", "collect", "claims"))
