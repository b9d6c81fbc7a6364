"""Models by name: what the entry-point group `ossnet.models` of the installed packages lists."""

import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ossnet.errors import UserError
from ossnet.model import SegmentationModel

GROUP = "ossnet.models"


def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP) or _of_checkout()}


def _of_checkout() -> list[EntryPoint]:
    """What the package would list if the checkout that this is run from were installed."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["project"]["entry-points"][GROUP]
    return [EntryPoint(name, value, GROUP) for name, value in listed.items()]


def model_names() -> list[str]:
    """The names that `model_type` knows, sorted."""
    return sorted(_entries())


def model_type(name: str) -> type[SegmentationModel]:
    """The class of a model by its name, such as `a`, `onet` or `unet2d-depth`.

    Raises:
        UserError: there is no such model.
    """
    entry = _entries().get(name)
    if entry is None:
        raise UserError(f"unknown model {name!r}; choose one of {', '.join(model_names())}")
    loaded: type[SegmentationModel] = entry.load()
    return loaded
