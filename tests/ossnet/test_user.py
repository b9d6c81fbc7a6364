import getpass
import os
import pwd
import subprocess
import sys

import pytest

from ossnet.user import ensure_user_name

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture
def _without_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("_without_account")
def test_a_user_without_an_account_is_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    monkeypatch.setenv("USER", "")  # So that the test leaves nothing.
    ensure_user_name()
    assert getpass.getuser() == os.environ["USER"] == str(os.getuid())


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_there_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in NAMES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "somebody")
    ensure_user_name()
    assert {other: os.environ[other] for other in NAMES if other in os.environ} == {name: "somebody"}


def test_the_package_sees_to_it_before_a_library_asks() -> None:
    script = """
import os, pwd
def unknown(number):
    raise KeyError(number)
pwd.getpwuid = unknown
import ossnet
import monai.config
print(os.environ["USER"])
"""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{os.getuid()}\n", 0), done.stderr
