"""OSS-Net (Reich et al., BMVC 2021): semantic segmentation of 3-D medical data in function space.

In the order in which a volume passes through them:

* `data`: cases with their images and labels, from files or synthetic, and their preprocessing
* `sampling`: locations to train at
* `model`, `network`: the interface of every model, and the occupancy network
* `field`, `losses`: logits to probabilities and losses
* `training`: from a specification to a trained model in a folder
* `inference`: from a trained model to a segmentation and its surface
* `evaluation`: from segmentations to scores
* `memory`: peak GPU memory, predicted without a GPU
* `cli`: the command line `ossnet`

The other modules are plain helpers: errors, files, locks, configurations, progress.
"""

from typing import TYPE_CHECKING, Any

from ossnet.user import ensure_user_name

if TYPE_CHECKING:
    from ossnet.network.released import load_released

__all__ = ["load_released"]

ensure_user_name()


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import, and commands that only read records do not need it.
    if name == "load_released":
        from ossnet.network.released import load_released

        return load_released
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
