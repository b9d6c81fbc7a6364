"""Data sets of two folders, one of images and one of labels, whose files have the same names."""

from collections.abc import Iterable
from pathlib import Path

from ossnet.data.listing import FileCase, Listing, files_of, name_of_folder
from ossnet.data.nifti import read_header
from ossnet.data.splits import shared_splits
from ossnet.errors import UserError


def folders_listing(folder: Path) -> Listing:
    """List the cases of a pair of folders.

    Case `NAME` has the image `images/NAME.nii.gz` and the label `labels/NAME.nii.gz`, or .nii. The only channel is
    called `image`; if the first image that can be read has four axes, its channels are called `image0`, `image1` and so
    on. The data set is named after the folder of the two, such as `folders-kidneys`.

    Args:
        folder: the folder that holds `images` and `labels`.

    Raises:
        UserError: a folder does not exist, two files of one have the same name but for the suffix, or there are none.
    """
    name = name_of_folder("folders", folder)
    images, labels = (files_of(folder / part) for part in ("images", "labels"))
    names = sorted(images.keys() | labels.keys())
    if not names:
        raise UserError(f"{folder}/images holds no .nii.gz or .nii files; give a folder with images and labels")
    cases = [
        FileCase(
            case,
            (images.get(case, folder / "images" / labels.get(case, Path(case)).name),),
            labels.get(case, folder / "labels" / images.get(case, Path(case)).name),
        )
        for case in names
    ]
    channels = _channels(images.values())
    return Listing(
        name=name,
        modalities=("image",) if channels == 1 else tuple(f"image{channel}" for channel in range(channels)),
        cases=tuple(cases),
        splits=shared_splits(names, {}),
        label_by_grid=False,
    )


def _channels(images: Iterable[Path]) -> int:
    """Return the number of channels of the first image that can be read."""
    for path in images:
        try:
            return read_header(path).channels
        except UserError:
            continue
    return 1
