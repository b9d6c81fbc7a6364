"""A wheel holds what its commands read, and they work from any folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
FOLDERS = ("ossnet", "baselines", "benchmarks", "paper_figures", "results/published", "results/reference")

BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"

pytestmark = pytest.mark.skipif(find_spec("setuptools") is None, reason="setuptools is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of a wheel that was built from a copy of the checkout."""
    source, wheels, site = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "site"))
    for name in FILES:
        shutil.copy(CHECKOUT / name, source)
    for name in FOLDERS:
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(wheels)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # Setuptools warns of data folders that are not listed in setup.py.
    assert "would be ignored" not in done.stderr
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    return site


@pytest.mark.parametrize("folder", ["published", "reference/efficiency", "reference/records"])
def test_it_holds_every_file_that_tables_and_claims_are_made_from(site: Path, folder: str) -> None:
    held = {path.name for path in (site / "benchmarks" / "results" / folder).iterdir()}
    assert held == {path.name for path in (CHECKOUT / "results" / folder).iterdir()}


def test_it_holds_the_notice_of_the_brain_template_no_pictures_and_no_results_folder_of_its_own(site: Path) -> None:
    assert "Louis Collins" in (site / "ossnet/data/synthetic/README.md").read_text(encoding="utf-8")
    assert not [path for path in site.rglob("*") if path.suffix in (".pdf", ".png", ".tex")]
    top = {path.name for path in site.iterdir() if path.suffix != ".dist-info"}
    assert top == {"ossnet", "baselines", "benchmarks", "paper_figures"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [(["benchmarks", "claims"], "results/tables/claims.md"), (["ossnet.cli", "models"], "unet2d-depth")],
)
def test_its_commands_work_from_any_folder(site: Path, tmp_path: Path, arguments: list[str], line: str) -> None:
    # Without the module `site`, Python reads no .pth file, by which it would find the checkout.
    path = os.pathsep.join([str(site), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    done = subprocess.run(
        [sys.executable, "-S", "-m", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
