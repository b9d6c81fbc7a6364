import json
import os
import platform
import subprocess
import warnings
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
import torch

from benchmarks.machine import provenance as module
from benchmarks.machine.provenance import CUDA_VARIABLES, cpu_state, cuda_state, git_state, gpu_state, provenance

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a package and a file of results."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for file in ("package/code.py", "results/table.md"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text("first")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "First")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "dirty"),
    [
        ("package/code.py", True),
        ("package/new.py", True),
        ("elsewhere.toml", True),
        ("results/table.md", False),
        ("results/new.md", False),
    ],
)
def test_a_change_is_dirty_unless_it_is_of_results(file: str, dirty: bool, checkout: Path) -> None:
    (checkout / file).write_text("second")
    commit = git(checkout, "rev-parse", "HEAD")
    assert len(commit) == 40
    assert git_state(checkout / "package") == (commit, dirty)
    git(checkout, "add", ".")
    assert git_state(checkout / "package") == (commit, dirty)
    git(checkout, "commit", "--message", "Second")
    assert git_state(checkout / "package") == (git(checkout, "rev-parse", "HEAD"), False)


def test_without_a_checkout_or_git_there_is_no_commit(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An installed package inside a checkout.
    installed = checkout / "environment" / "package"
    installed.mkdir(parents=True)
    (installed / "code.py").touch()
    assert git_state(installed) == (None, None)
    # No repository, and one without a commit.
    folder = tmp_path_factory.mktemp("folder")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert git_state(folder) == (None, None)
    git(folder, "init")
    assert git_state(folder) == (None, None)
    monkeypatch.setenv("PATH", "")
    assert git_state(checkout) == (None, None)


@pytest.fixture
def owned_by_another(checkout: Path) -> Path:
    """The checkout as another user's, which takes root to make."""
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345)
    return checkout


def test_a_checkout_of_another_user_has_its_commit(owned_by_another: Path) -> None:
    (owned_by_another / "package" / "code.py").write_text("second")
    with pytest.raises(subprocess.CalledProcessError):
        git(owned_by_another, "rev-parse", "HEAD")  # Git itself refuses.
    (head,) = (owned_by_another / ".git" / "refs" / "heads").iterdir()
    assert git_state(owned_by_another / "package") == (head.read_text().strip(), True)


def test_a_repository_of_another_owner_than_the_code_is_not_asked(owned_by_another: Path) -> None:
    """It could have git run any command."""
    os.chown(owned_by_another / "package", os.getuid(), os.getgid())
    assert git_state(owned_by_another / "package") == (None, None)


def test_a_worktree_has_the_commit_that_it_is_at(checkout: Path) -> None:
    git(checkout, "worktree", "add", "--detach", "tree")
    (checkout / "package" / "code.py").write_text("second")
    commit = git(checkout, "rev-parse", "HEAD")
    git(checkout, "commit", "--all", "--message", "Second")
    assert git_state(checkout / "tree" / "package") == (commit, False)


def test_variables_of_a_git_hook_name_no_other_repository(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))
    assert git_state(checkout / "package") == (commit, False)


def test_what_is_told_of_a_run_on_the_cpu() -> None:
    told = provenance("python -m benchmarks run table2", CPU)
    assert json.loads(json.dumps(told)) == told
    assert told["command"] == "python -m benchmarks run table2"
    assert told["gpu"] is told["cuda"] is None
    # Neither host, nor user, nor path.
    assert told["platform"] == {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
    }
    assert str(Path(__file__).parents[3]) not in json.dumps(told)
    versions = told["versions"]
    assert isinstance(versions, dict)
    assert versions["python"] == platform.python_version()
    assert torch.__version__.startswith(versions["torch"])
    assert all(versions.values())
    cpu = told["cpu"]
    assert isinstance(cpu, dict)
    assert 1 <= cpu["usable_cores"] <= cpu["cores"]
    assert cpu["torch_threads"] == torch.get_num_threads()
    assert cpu["model"]
    assert cpu["family"]
    assert cpu["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert isinstance(told["memory_bytes"], int)
    assert told["memory_bytes"] > 2**28


@pytest.mark.parametrize(
    ("fields", "family"),
    [
        ({"cpu family": "23", "model": "49", "stepping": "0"}, "23 49 0"),
        ({"cpu family": "6", "model": "143"}, "6 143 -"),
        ({}, "- - -"),
    ],
)
def test_the_family_of_a_cpu(fields: dict[str, str], family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_cpu_fields", lambda: fields)
    assert cpu_state()["family"] == family
    assert cpu_state()["model"]


def test_a_distribution_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DISTRIBUTIONS", ("no-such-distribution",))
    versions = provenance("", CPU)["versions"]
    assert versions == {"python": platform.python_version(), "no-such-distribution": None}


def test_a_slurm_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_PARTITION"):
        monkeypatch.delenv(name, raising=False)
    assert provenance("", CPU)["slurm"] is None
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("SLURM_JOB_PARTITION", "gpu")
    assert provenance("", CPU)["slurm"] == {"job_id": "42", "array_task_id": None, "partition": "gpu"}


def test_what_torch_computes_with_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CUDA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90501)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    told = cuda_state(GPU)
    assert told == {
        "runtime": "12.6",
        "cudnn": 90501,
        "matmul_tf32": False,
        "cudnn_tf32": False,
        "environment": {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"},
    }
    assert json.loads(json.dumps(told)) == told


def test_no_advice_of_torch_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Advising:
        @property
        def allow_tf32(self) -> bool:
            warnings.warn("Please use the new API settings", UserWarning, stacklevel=2)
            return True

    monkeypatch.setattr(torch.backends.cuda, "matmul", Advising())
    told = cuda_state(GPU)
    assert told is not None
    assert told["matmul_tf32"] is True


WHOLE = {"name": "Card", "uuid": "GPU-12ab", "memory_bytes": 80 * 2**30, "driver": "550.54", "cuda": "12.4"}


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (None, WHOLE),
        ("nvmlDeviceGetName", WHOLE | {"name": None}),
        ("nvmlDeviceGetMemoryInfo", WHOLE | {"memory_bytes": None}),
        ("nvmlSystemGetDriverVersion", WHOLE | {"driver": None}),
        ("nvmlSystemGetCudaDriverVersion_v2", WHOLE | {"cuda": None}),
        ("nvmlDeviceGetHandleByUUID", None),
    ],
)
def test_a_gpu_is_what_its_driver_tells_of_it(
    refused: str | None, expected: dict[str, object] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)

    answers = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlDeviceGetHandleByUUID": "handle",
        "nvmlDeviceGetName": "Card",
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=80 * 2**30),
        "nvmlSystemGetDriverVersion": "550.54",
        "nvmlSystemGetCudaDriverVersion_v2": 12040,
    }
    for name, value in answers.items():
        monkeypatch.setattr(pynvml, name, refuse if name == refused else lambda *_, value=value: value)
    # The second device that torch may use, whichever of the machine's it is.
    monkeypatch.setattr(torch.cuda, "get_device_properties", {GPU: SimpleNamespace(uuid="12ab")}.__getitem__)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu_state(GPU) == expected
