"""nnU-Net's raw data sets: one file per case and channel, described by `dataset.json`."""

import re
from pathlib import Path

from ossnet.data.dataset_json import FILE, channels, label_names, read_dataset_json
from ossnet.data.listing import FileCase, Listing, files_of, name_of_folder
from ossnet.data.nifti import SUFFIXES
from ossnet.data.splits import shared_splits
from ossnet.errors import UserError


def nnunet_listing(folder: Path) -> Listing:
    """List the labelled cases of a raw data set of nnU-Net, version 2 or 1.

    Case `NAME` has the images `imagesTr/NAME_0000.nii.gz` and so on, one for each channel of `dataset.json`, and the
    label `labelsTr/NAME.nii.gz`. The images in `imagesTs` are left out. The data set is named after its folder, such as
    `nnunet-Dataset003_Liver`.

    Args:
        folder: the folder that holds `dataset.json`, `imagesTr` and `labelsTr`.

    Raises:
        UserError: the folder does not exist, its `dataset.json` is missing or incomplete, its files are not NIfTI, or
            it has no case.
    """
    name = name_of_folder("nnunet", folder)
    values = read_dataset_json(folder)
    modalities = channels(values, "channel_names" if "channel_names" in values else "modality", folder)
    ending = values.get("file_ending", SUFFIXES[0])
    if ending not in SUFFIXES:
        raise UserError(f"{folder / FILE} has files that end in {ending}; convert them to {' or '.join(SUFFIXES)}")
    images, labels = (files_of(folder / part, [ending]) for part in ("imagesTr", "labelsTr"))
    with_images = {match[1] for stem in images if (match := re.fullmatch(r"(.+)_\d{4}", stem))}
    names = sorted(with_images | labels.keys())
    if not names:
        raise UserError(f"{folder}/imagesTr holds no NAME_0000{ending}; give the folder of a raw data set")
    cases = tuple(
        FileCase(
            case,
            tuple(folder / "imagesTr" / f"{case}_{channel:04d}{ending}" for channel in range(len(modalities))),
            folder / "labelsTr" / f"{case}{ending}",
        )
        for case in names
    )
    return Listing(
        name=name,
        modalities=modalities,
        cases=cases,
        splits=shared_splits(names, {}),
        label_by_grid=False,
        label_names=label_names(values, folder),
    )
