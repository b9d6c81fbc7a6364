"""Medical Segmentation Decathlon: data sets of one file per case, with all channels, described by `dataset.json`."""

from pathlib import Path
from typing import Any

from ossnet.data.dataset_json import FILE, channels, label_names, read_dataset_json
from ossnet.data.listing import FileCase, Listing, name_of_folder
from ossnet.data.nifti import SUFFIXES
from ossnet.data.splits import shared_splits
from ossnet.errors import UserError


def msd_listing(folder: Path) -> Listing:
    """List the labelled cases of a task, which are those that `dataset.json` has under "training".

    Channels have the names of "modality", the last axis of the images is theirs. The images of "test" have no labels
    and are left out. The data set is named after its folder, such as `msd-Task03_Liver`.

    Args:
        folder: the folder that holds `dataset.json`, `imagesTr` and `labelsTr`.

    Raises:
        UserError: the folder does not exist, or its `dataset.json` is missing or incomplete or lists a case twice.
    """
    name = name_of_folder("msd", folder)
    values = read_dataset_json(folder)
    listed = values.get("training")
    if not isinstance(listed, list) or not listed:
        raise UserError(
            f'{folder / FILE} lists no cases; write "training": [{{"image": ..., "label": ...}}, ...] there'
        )
    cases = [case for entry in listed if (case := _case(folder, entry)) is not None]
    names = [case.name for case in cases]
    for case in cases:
        if names.count(case.name) > 1:
            raise UserError(f"{folder / FILE} lists two cases {case.name}; remove one of them there")
    return Listing(
        name=name,
        modalities=channels(values, "modality", folder),
        cases=tuple(cases),
        splits=shared_splits(names, {}),
        label_by_grid=False,
        label_names=label_names(values, folder),
    )


def _case(folder: Path, entry: Any) -> FileCase | None:
    """Return a case of the list; None for the `._NAME` files of macOS, which some lists contain."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("image", "label")):
        raise UserError(f'{folder / FILE}: {entry!r} is not a case; write {{"image": ..., "label": ...}} there')
    image, label = (folder / entry[key] for key in ("image", "label"))
    if image.name.startswith("."):
        return None
    suffix = next((suffix for suffix in SUFFIXES if image.name.endswith(suffix)), "")
    return FileCase(image.name.removesuffix(suffix), (image,), label)
