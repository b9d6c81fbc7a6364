"""What tests of every folder share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real cases, which are no part of the repository; tests skip without it."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OSSNET_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real cases: {folder} does not exist (set OSSNET_SHARED_DATA to their folder)")
    return folder
