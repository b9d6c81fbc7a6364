"""Models by name, from the entry-point group `ossnet.models` of the suite and of other installed packages."""

import sys
import tomllib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ossnet.errors import UserError
from ossnet.model import SegmentationModel

DISTRIBUTION = "ossnet"

GROUP = "ossnet.models"


@cache
def _entries(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Return the entries of the packages on a search path by name.

    They are kept, since the metadata of all packages take milliseconds to read, and a study asks for models thousands
    of times.
    """
    found = list(entry_points(group=GROUP))
    if not any(entry.dist is not None and entry.dist.name == DISTRIBUTION for entry in found):
        found = [*_entries_of_checkout(), *found]
    return {entry.name: entry for entry in found}


def _entries_of_checkout() -> list[EntryPoint]:
    """Return the entries that the suite would have if the checkout that it runs from were installed."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["project"]["entry-points"][GROUP]
    return [EntryPoint(name, value, GROUP) for name, value in listed.items()]


def model_names() -> list[str]:
    """Return the names that `model_type` knows, sorted."""
    return sorted(_entries(tuple(sys.path)))


def model_type(name: str) -> type[SegmentationModel]:
    """Return the class of a model by its name, such as `a`, `onet` or `unet2d-depth`.

    Raises:
        UserError: there is no such model.
    """
    entry = _entries(tuple(sys.path)).get(name)
    if entry is None:
        raise UserError(f"unknown model {name!r}; choose one of {', '.join(model_names())}")
    loaded: type[SegmentationModel] = entry.load()
    return loaded
