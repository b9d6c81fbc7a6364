"""Contexts around the named parts of a model, for the accounts of its memory and of its time."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from torch import nn

from ossnet.model import SegmentationModel

Watch = Callable[[str], AbstractContextManager[None]]
"""Makes the context in which the part of that name is computed."""


@contextmanager
def watched(model: SegmentationModel, watch: Watch) -> Iterator[None]:
    """Compute each part of a model, while this context lasts, within the context that `watch` makes for its name.

    Where a method returns something that can be called, such as a `PatchVolume`, calls of that belong to the part too.
    """
    replaced: list[tuple[Any, str, Any]] = []
    for name, members in model.parts().items():
        for member in members:
            is_module = isinstance(member, nn.Module)
            owner, attribute = (member, "forward") if is_module else (member.__self__, member.__name__)
            replaced.append((owner, attribute, vars(owner).get(attribute)))
            setattr(owner, attribute, _within(partial(watch, name), getattr(owner, attribute)))
    try:
        yield
    finally:
        for owner, attribute, before in reversed(replaced):
            if before is None:
                delattr(owner, attribute)
            else:
                setattr(owner, attribute, before)


def _within(context: Callable[[], AbstractContextManager[None]], function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        with context():
            result = function(*arguments, **options)
        return _within(context, result) if callable(result) else result

    return run
