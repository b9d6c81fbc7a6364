import getpass
import os
import pwd
import subprocess
import sys

import pytest

from ossnet.user import ensure_user_name

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without a user name."""
    for name in NAMES:
        monkeypatch.setenv(name, "")  # So that the test leaves nothing.
        monkeypatch.delenv(name)
    return monkeypatch


def test_a_user_without_an_account_is_named_by_number(nameless: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    nameless.setattr(pwd, "getpwuid", unknown)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    ensure_user_name()
    assert getpass.getuser() == os.environ["USER"] == str(os.getuid())


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_there_stays(name: str, nameless: pytest.MonkeyPatch) -> None:
    nameless.setenv(name, "somebody")
    ensure_user_name()
    assert {other: os.environ[other] for other in NAMES if other in os.environ} == {name: "somebody"}


def test_to_import_the_package_is_enough() -> None:
    script = """
import os, pwd
def unknown(number):
    raise KeyError(number)
pwd.getpwuid = unknown
import ossnet
print(os.environ["USER"])
"""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{os.getuid()}\n", 0), done.stderr
