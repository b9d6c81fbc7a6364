"""The command line from end to end: real processes make the runs of a tiny study."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import __main__ as command_line
from benchmarks.__main__ import main
from benchmarks.commands.request import Request
from benchmarks.probes import runner
from benchmarks.probes.records import read_records
from benchmarks.studies import registry
from benchmarks.studies.table3 import TABLE3
from benchmarks.study import Layout, Probe, Study
from ossnet.training.profile import load_profile

Capture = pytest.CaptureFixture[str]
Command = Callable[..., int]


PROBE = Probe("memory", "c", "cube", (64, 64, 64), "inference", 2**8)
PROBES_ONLY = Study(
    Layout("table3", "Table 3"),
    predicted=lambda: [PROBE],
    measured=lambda device_type: [],
    tables=TABLE3.tables,
    evidence=lambda: [PROBE],
)


def use_studies(patch: pytest.MonkeyPatch, *some: Study) -> None:
    """Replace the registry of studies."""
    patch.setattr(registry, "STUDIES", {study.name: study for study in some})


@pytest.fixture(autouse=True)
def _only_tiny_studies(tiny_study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    use_studies(monkeypatch, tiny_study, PROBES_ONLY)
    answered = {"allocated_bytes": 10**9, "reserved_bytes": 10**9, "by_part": {}}
    monkeypatch.setattr(runner, "predict_probe", lambda probe: answered)


@pytest.fixture(scope="module")
def finished(tiny_profile: Path, data_csv: Path, tiny_study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder in which the study was run."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        use_studies(patch, tiny_study)
        assert main(run(tiny_profile, data_csv, results)) == 0
    return results


def run(profile: Path, data: Path, results: Path, *more: str) -> list[str]:
    return ["run", "table1", "--profile", str(profile), "--data", str(data), "--results", str(results), *more]


def times_of_results(results: Path) -> dict[str, float]:
    return {path.parent.name: path.stat().st_mtime for path in results.glob("runs/*/result.json")}


def test_a_sweep_leaves_runs_records_and_tables(finished: Path) -> None:
    folders = sorted((finished / "runs").iterdir())
    assert len(folders) == 4
    for folder in folders:
        assert (folder / "result.json").exists()
        attempt = json.loads((folder / "provenance.json").read_text())["attempts"][0]
        assert attempt["command"].startswith("python -m benchmarks run table1 --profile ")
    lines = (finished / "records" / "table1-own-tiny.jsonl").read_text().splitlines()
    assert [json.loads(line)["columns"]["sampling"] for line in lines] == ["uniform"] * 2 + ["border"] * 2
    table = pd.read_csv(finished / "tables" / "table1.csv")
    assert set(table["sampling"]) == {"uniform", "border"}
    assert set(table["drawn"]) == {32}
    assert set(table["seeds"]) == {2}
    assert "Confidence (ours)" in (finished / "tables" / "table1.md").read_text()
    assert (finished / "tables" / "table1.tex").exists()
    assert (finished / "tables" / "table1-comparisons.md").exists()


def test_called_again_it_makes_nothing_again(finished: Path, tiny_profile: Path, data_csv: Path) -> None:
    before = times_of_results(finished)
    table = (finished / "tables" / "table1.md").read_bytes()
    assert main(run(tiny_profile, data_csv, finished)) == 0
    assert times_of_results(finished) == before
    assert (finished / "tables" / "table1.md").read_bytes() == table


def test_status_collect_and_dry_run(finished: Path, tiny_profile: Path, data_csv: Path, capsys: Capture) -> None:
    results = ["--results", str(finished)]
    assert main(["status", *results]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "table1 on own, profile tiny: 4 runs, 4 done, 0 failed, 0 running, 0 missing"
    assert [line.split(":")[0] for line in lines[1:]] == ["table3"]
    table = (finished / "tables" / "table1.md").read_bytes()
    shutil.rmtree(finished / "tables")
    shutil.rmtree(finished / "records")
    assert main(["collect", "table1", *results]) == 0
    assert capsys.readouterr().out == f"{finished}/tables/table1.md\n"
    assert (finished / "tables" / "table1.md").read_bytes() == table
    before = times_of_results(finished)
    assert main(run(tiny_profile, data_csv, finished, "--dry-run", "--force")) == 0
    listing = capsys.readouterr().out.splitlines()
    assert listing[0] == "table1 on own, profile tiny: 4 runs (4 done)"
    assert listing[1].startswith("  c uniform 8192 32 seed 0: done, about ")
    assert listing[-1].startswith("4 runs to make, about ")
    assert times_of_results(finished) == before


def test_a_dry_run_writes_nothing(tiny_profile: Path, data_csv: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(run(tiny_profile, data_csv, tmp_path, "--dry-run")) == 0
    assert list(tmp_path.iterdir()) == []
    listing = capsys.readouterr().out
    assert "4 runs (4 missing)" in listing
    assert "assuming" in listing


def test_claims_are_judged_by_the_records(finished: Path, capsys: Capture) -> None:
    assert main(["claims", "--results", str(finished), "--profile", "tiny"]) == 0
    output = capsys.readouterr().out
    assert "a-gain-brats" in output
    assert "Our records: does not hold 0, not measured " in output
    assert output.endswith(f"{finished}/tables/claims.md\n")
    verdicts = pd.read_csv(finished / "tables" / "claims.csv")
    assert {"verdict", "verdict_published"} <= set(verdicts)
    # The tiny data set stands for none of the paper's, whose own tables are judged all the same.
    assert verdicts.set_index("claim").loc["a-gain-brats", "verdict"] == "not measured"
    assert "holds" in set(verdicts["verdict_published"])


def test_only_what_failed_is_tried_again_and_only_by_retry_failed(
    finished: Path, tiny_profile: Path, data_csv: Path, capsys: Capture
) -> None:
    before = times_of_results(finished)
    first = sorted(before)[0]
    folder = finished / "runs" / first
    for name in ("result.json", "per_case.csv"):
        (folder / name).unlink()
    (folder / "failure.json").write_text('{"reason": "OOM"}')
    assert main(run(tiny_profile, data_csv, finished)) == 1
    assert "1 of 4 runs have failed; use --retry-failed" in capsys.readouterr().err
    assert main(["status", "--results", str(finished)]) == 0
    assert "seed 0: failed: OOM" in capsys.readouterr().out
    assert "OOM" in (finished / "tables" / "table1.md").read_text()
    assert main(run(tiny_profile, data_csv, finished, "--retry-failed")) == 0
    after = times_of_results(finished)
    assert {name for name in after if after[name] != before[name]} == {first}


def times_of_trainings(results: Path) -> dict[str, float]:
    return {path.parent.name: path.stat().st_mtime for path in results.glob("trainings/*/model.safetensors")}


def test_another_way_of_scoring_trains_nothing(
    finished: Path, tiny_profile: Path, data_csv: Path, tiny_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = times_of_trainings(finished)
    assert len(before) == 4
    for changes in ({"extraction": "dense"}, {"max_locations": 64}):
        other = replace(tiny_study, grid=lambda p, c=changes: [replace(point, **c) for point in tiny_study.grid(p)])
        use_studies(monkeypatch, other)
        assert main(run(tiny_profile, data_csv, finished)) == 0
    assert times_of_trainings(finished) == before
    assert len(times_of_results(finished)) == 12


def test_a_training_that_failed_is_tried_again_by_retry_failed_and_all_anew_by_force(
    tiny_profile: Path, data_csv: Path, tiny_study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two scorings of one training."""
    points = [replace(tiny_study.grid(load_profile(str(tiny_profile)))[0], extraction=how) for how in ("mise", "dense")]
    points = [replace(point, columns=point.columns | {"drawn": i}) for i, point in enumerate(points)]
    use_studies(monkeypatch, replace(tiny_study, grid=lambda _: points))
    # With a rate like this the loss is infinite in the first epoch.
    profile = tmp_path / "tiny.toml"
    rate = "[datasets.own.c.recipe.optimization]\nlearning_rate = 1e30\nactivation_learning_rate = 1e30\n"
    profile.write_text(tiny_profile.read_text() + rate)
    assert main(run(profile, data_csv, tmp_path)) == 1
    failures = [json.loads(path.read_text())["reason"] for path in tmp_path.glob("*/*/failure.json")]
    assert len(failures) == 3
    assert len(set(failures)) == 1
    assert failures[0].startswith("the loss became ")
    (training,) = tmp_path.glob("trainings/*")

    def attempts() -> int:
        return len(json.loads((training / "provenance.json").read_text())["attempts"])

    assert attempts() == 1
    assert main(run(profile, data_csv, tmp_path)) == 1
    assert attempts() == 1
    assert main(run(profile, data_csv, tmp_path, "--retry-failed")) == 1
    assert attempts() == 2
    assert main(run(profile, data_csv, tmp_path, "--force")) == 1
    assert attempts() == 1


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
    ],
)
def test_a_users_mistake_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main([*arguments, "--results", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("benchmarks: ")
    assert message in error
    assert error.count("\n") == 1


def refused(arguments: list[str], capsys: Capture) -> str:
    """Return the single line with which a command refuses its arguments."""
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("folder", ["", "tables", "runs"])
def test_a_results_folder_that_cannot_be_written_is_refused_before_the_work(
    folder: str, tiny_profile: Path, data_csv: Path, tmp_path: Path, capsys: Capture
) -> None:
    results = tmp_path / "results"
    (results / folder).parent.mkdir(exist_ok=True)
    (results / folder).touch()
    line = refused(run(tiny_profile, data_csv, results), capsys)
    assert line.startswith(f"benchmarks: cannot write {results / folder}: ")
    assert [path.name for path in results.glob("*")] == [folder] * bool(folder)


@pytest.mark.parametrize("executor", ["local", "slurm"])
def test_a_results_folder_in_whose_name_job_numbers_would_be_put_is_refused(
    executor: str, tiny_profile: Path, data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (tmp_path / "run%j").mkdir()
    monkeypatch.chdir(tmp_path / "run%j")
    line = refused(run(tiny_profile, data_csv, Path("results"), "--executor", executor), capsys)
    assert all(part in line for part in ("--results results: ", f"{tmp_path}/run%j/results", "choose a folder without"))
    assert not Path("results").exists()


def test_without_a_name_all_studies_but_those_made_by_name_are_run(
    tiny_study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_studies(
        monkeypatch, tiny_study, PROBES_ONLY, replace(PROBES_ONLY, layout=Layout("scaling", ""), only_by_name=True)
    )
    requests: list[Request] = []
    monkeypatch.setattr(command_line, "run", lambda request: requests.append(request) or 0)
    for names in ([], ["scaling"], ["table3", "table1"]):
        assert main(["run", *names, "--results", str(tmp_path)]) == 0
    studies = [[study.name for study in request.studies] for request in requests]
    assert studies == [["table1", "table3"], ["scaling"], ["table1", "table3"]]
    # Measuring takes minutes, and is for those who name the study.
    assert [request.measure for request in requests] == [False, True, True]


def test_a_machine_that_sends_jobs_to_a_cluster_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requests: list[Request] = []
    monkeypatch.setattr(command_line, "run", lambda request: requests.append(request) or 0)
    assert main(["run", "table3", "--executor", "slurm", "--results", str(tmp_path)]) == 0
    assert not requests[0].measure


@pytest.mark.parametrize("option", ["retry_failed", "force", "shared"])
def test_options_reach_the_request(option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    requests: list[Request] = []
    monkeypatch.setattr(command_line, "run", lambda request: requests.append(request) or 0)
    command = ["run", "table3", "--results", str(tmp_path), f"--{option.replace('_', '-')}"]
    assert main(command) == 0
    line = " ".join(["python", "-m", "benchmarks", *command])
    assert requests == [Request([PROBES_ONLY], tmp_path, line, **{option: True})]


def with_probes(tiny_study: Study) -> Study:
    """Return a study with points and a probe."""
    return replace(tiny_study, predicted=PROBES_ONLY.predicted, measured=PROBES_ONLY.measured, tables=TABLE3.tables)


@pytest.mark.parametrize("kind", ["points", "probes", "both"])
def test_every_kind_of_study_goes_through_every_command(
    kind: str,
    finished: Path,
    tiny_profile: Path,
    data_csv: Path,
    tiny_study: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    study = {"points": tiny_study, "probes": PROBES_ONLY, "both": with_probes(tiny_study)}[kind]
    use_studies(monkeypatch, study)
    results = tmp_path / "results"
    # What was trained is not trained again.
    shutil.copytree(finished, results, ignore=shutil.ignore_patterns("tables", "records", "efficiency"))
    command = ["run", study.name, "--profile", str(tiny_profile), "--data", str(data_csv), "--results", str(results)]
    in_results = ["--results", str(results)]
    assert main([*command, "--dry-run"]) == 0
    listing = capsys.readouterr().out
    assert ("4 runs (4 done)" in listing) == study.has_points
    assert ("1 probes to answer" in listing) == study.has_probes
    assert not (results / "tables").exists()
    assert main(command) == 0
    assert capsys.readouterr().out == f"{results}/tables/{study.name}.md\n"
    written = {path.name: path.read_bytes() for path in (results / "tables").iterdir()}
    assert {f"{study.name}.{ending}" for ending in ("md", "csv", "tex")} <= written.keys()
    assert (f"{study.name}-probes.csv" in written) == (kind == "both")
    for again in (["--retry-failed"], []):
        assert main([*command, *again]) == 0
    capsys.readouterr()
    assert main(["status", *in_results]) == 0
    status = capsys.readouterr().out
    assert ("4 runs, 4 done" in status) == study.has_points
    assert ("1 probes, 1 done" in status) == study.has_probes
    shutil.rmtree(results / "tables")
    assert main(["collect", study.name, *in_results]) == 0
    assert {path.name: path.read_bytes() for path in (results / "tables").iterdir()} == written
    if study.has_points:
        assert main(["claims", *in_results, "--profile", "tiny"]) == 0
    if study.has_probes:
        assert main([*command, "--force"]) == 0
        (record,) = read_records(results, [study.name])
        assert record.probe == PROBE
        assert "--force" in record.provenance["command"]


def test_help_and_unknown_commands(capsys: Capture) -> None:
    for arguments, status in ((["--help"], 0), (["sweep"], 2), ([], 2)):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == status
    output = capsys.readouterr().out
    assert all(command in output for command in ("run", "status", "collect", "claims"))
