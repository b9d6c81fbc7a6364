"""Data sets of three cases in every layout, of small boxes and of real gliomas."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest

from ossnet.data.brats import MODALITIES
from ossnet.data.nifti import write_label, write_volume

SHAPE = (12, 14, 10)
AFFINE = np.diag([-2.0, -1.0, 1.5, 1.0])
VALUES = {"brats": (1, 2, 4), "brats2023": (1, 2, 3), "lits": (1, 2)}


def tumour(case: int, values: Sequence[int]) -> np.ndarray:
    """A box of 6x6x4 voxels, whose position depends on the case, in slabs of each value."""
    label = np.zeros(SHAPE, np.uint8)
    box = label[2 + case : 8 + case, 4:10, 3:7]
    for place, value in enumerate(values):
        box[place * 6 // len(values) : (place + 1) * 6 // len(values)] = value
    return label


class Tree:
    """A data set in a folder: its source, and how its cases are written."""

    affine = AFFINE
    layouts = ("brats", "brats2021", "brats2023", "lits", "msd", "nnunet", "folders", "csv")

    def __init__(self, layout: str, folder: Path) -> None:
        self.layout, self.folder = layout, folder
        self.source = str(folder / "own.csv") if layout == "csv" else f"{layout}:{folder}"
        values = VALUES.get(layout, VALUES["brats"] if layout.startswith("brats") else (1,))
        for case in range(3):
            self.random = np.random.default_rng(case)
            self.write_case(case, self.tumour(case, values))
        self.describe()

    def tumour(self, case: int, values: Sequence[int]) -> np.ndarray:
        return tumour(case, values)

    def image(self, path: str, label: np.ndarray, channels: int = 1) -> None:
        image = (label > 0) + self.random.normal(0, 0.1, (channels, *SHAPE))
        write_volume(self.folder / path, image[0] if channels == 1 else image, self.affine)

    def label(self, path: str, label: np.ndarray) -> None:
        write_label(self.folder / path, label, self.affine)

    def write_case(self, case: int, label: np.ndarray) -> None:
        if self.layout.startswith("brats"):
            name, separator, stems = {
                "brats": (f"BraTS20_Training_{(1, 2, 355)[case]:03d}", "_", ("flair", "t1", "t1ce", "t2")),
                "brats2021": (f"BraTS2021_{case:05d}", "_", ("flair", "t1", "t1ce", "t2")),
                "brats2023": (f"BraTS-GLI-{case:05d}-000", "-", ("t2f", "t1n", "t1c", "t2w")),
            }[self.layout]
            for stem in stems:
                self.image(f"{name}/{name}{separator}{stem}.nii.gz", label)
            segmentation = "W39_1998.09.19_Segm" if name.endswith("355") else f"{name}{separator}seg"
            self.label(f"{name}/{segmentation}.nii.gz", label)
        elif self.layout == "lits":
            self.image(f"part/volume-{case}.nii", label)
            self.label(f"part/segmentation-{case}.nii", label)
        elif self.layout == "nnunet":
            for channel in range(2):
                self.image(f"imagesTr/case_{case}_{channel:04d}.nii.gz", label)
            self.label(f"labelsTr/case_{case}.nii.gz", label)
        else:
            images, labels = {"folders": ("images", "labels")}.get(self.layout, ("imagesTr", "labelsTr"))
            self.image(f"{images}/case_{case}.nii.gz", label, channels=2 if self.layout == "msd" else 1)
            self.label(f"{labels}/case_{case}.nii.gz", label)

    def describe(self) -> None:
        names = [f"case_{case}.nii.gz" for case in range(3)]
        if self.layout == "msd":
            listed = [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names]
            description = {
                **{"name": "TOY", "modality": {"0": "T2", "1": "ADC"}, "labels": {"0": "background", "1": "box"}},
                **{"training": listed, "test": ["./imagesTs/case_9.nii.gz"]},
            }
            (self.folder / "imagesTr" / "._case_0.nii.gz").write_bytes(b"Mac OS X")
            (self.folder / "dataset.json").write_text(json.dumps(description))
        elif self.layout == "nnunet":
            description = {
                **{"channel_names": {"0": "T2", "1": "ADC"}, "labels": {"background": 0, "box": 1}},
                **{"numTraining": 3, "file_ending": ".nii.gz"},
            }
            (self.folder / "dataset.json").write_text(json.dumps(description))
        elif self.layout == "csv":
            splits = ("train", "validation", "test")
            rows = [
                f"{name[:6]},imagesTr/{name},labelsTr/{name},{split}" for name, split in zip(names, splits, strict=True)
            ]
            (self.folder / "own.csv").write_text("\n".join(["name,t1,label,split", *rows]))


class RealTree(Tree):
    """The same of real gliomas, whose images are links where the layout has one for each modality."""

    def __init__(self, layout: str, folder: Path, gliomas: Sequence[dict[str, Path]]) -> None:
        self.gliomas = gliomas
        super().__init__(layout, folder)

    def tumour(self, case: int, values: Sequence[int]) -> np.ndarray:
        """Return the label with other values for 1, 2 and 4, the last for all that have none."""
        self.images = iter([self.gliomas[case][modality] for modality in MODALITIES])
        stored = nibabel.load(self.gliomas[case]["seg"])
        self.affine = stored.affine
        first, second, last = (values[min(place, len(values) - 1)] for place in range(3))
        return np.array([0, first, second, 0, last], np.uint8)[np.asarray(stored.dataobj)]

    def image(self, path: str, label: np.ndarray, channels: int = 1) -> None:
        # LiTS has its files without compression, or with it.
        target = self.folder / f"{path.removesuffix('.gz')}.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        images = [next(self.images) for _ in range(channels)]
        if channels == 1:
            target.symlink_to(images[0])
        else:
            stacked = np.stack([np.asarray(nibabel.load(image).dataobj) for image in images], axis=-1)
            nibabel.save(nibabel.Nifti1Image(stacked, self.affine), target)


@pytest.fixture(scope="session")
def three_gliomas(
    real_gliomas: list[dict[str, Path]], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Path]]:
    """Two real gliomas and, so that each split can have a case, the first with images halfway to the second.

    A mirror image would not do, since it counts as a copy.
    """
    folder, (first, second) = tmp_path_factory.mktemp("halfway"), real_gliomas
    halfway = dict(first)
    for modality in MODALITIES:
        stored, other = nibabel.load(first[modality]), nibabel.load(second[modality])
        halfway[modality] = folder / first[modality].name
        mean = np.asarray(stored.dataobj) // 2 + np.asarray(other.dataobj) // 2
        nibabel.save(nibabel.Nifti1Image(mean, stored.affine), halfway[modality])
    return [first, second, halfway]


@pytest.fixture(params=Tree.layouts)
def real_tree(request: pytest.FixtureRequest, three_gliomas: list[dict[str, Path]], tmp_path: Path) -> RealTree:
    """A data set of real gliomas in each layout."""
    return RealTree(request.param, tmp_path / "toy", three_gliomas)


@pytest.fixture(params=Tree.layouts)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """A data set in each layout."""
    return Tree(request.param, tmp_path / "toy")


@pytest.fixture(scope="session")
def make_tree() -> Callable[[str, Path], Tree]:
    """Make a data set in a layout."""
    return Tree
