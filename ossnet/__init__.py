"""OSS-Net (Reich et al., BMVC 2021): semantic segmentation of 3-D medical data in function space."""

from typing import TYPE_CHECKING, Any

from ossnet.user import ensure_user_name

if TYPE_CHECKING:
    from ossnet.network.released import load_released

__all__ = ["load_released"]

ensure_user_name()


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import; commands that only read records do without.
    if name == "load_released":
        from ossnet.network.released import load_released

        return load_released
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
