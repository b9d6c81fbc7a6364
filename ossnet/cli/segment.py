"""The command `ossnet segment`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ossnet.cli.device import adapt, device_of
from ossnet.cli.options import Commands, extraction_options, machine_options, positive, precision_options
from ossnet.cli.output_grid import grid_options, shape_to_write
from ossnet.cli.unused import refuse_unused
from ossnet.errors import UserError
from ossnet.files import require_writable

if TYPE_CHECKING:
    from ossnet.cli.surfaces import Surface


def add(commands: Commands) -> None:
    """Add the command."""
    segmentation = commands.add_parser(
        "segment",
        parents=[grid_options(), extraction_options(), precision_options(), machine_options()],
        help="segment one patient's images",
        description="Write the segmentation of an image as NIfTI, with the affine, orientation and shape of the input, "
        "or with --spacing or --shape on another grid over the same volume, whose outer faces are those of the input. "
        "The image is brought to the orientation that the model was trained in and its segmentation back, so that the "
        "order in which a file stores its voxels does not matter. Locations between voxels are evaluated with patches "
        "that are interpolated trilinearly (Section 3.3); U-Nets predict voxels, and their probabilities are "
        "interpolated.",
    )
    segmentation.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="one NIfTI file per modality, in the order of the model's modalities, or one 4-D file",
    )
    segmentation.add_argument("--model", required=True, type=Path, metavar="RUN", help="folder of the trained model")
    segmentation.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT.nii.gz", help="file for the mask"
    )
    segmentation.add_argument(
        "--mesh",
        type=Path,
        metavar="FILE",
        help="file for the surface of all classes but the background in mm (RAS+), .ply or .obj; between voxels it is "
        "placed by the model's probabilities. With {class} in the name, such as tumour-{class}.ply, a file for the "
        "surface of each class, named by its label value, or of each nested region, named by its name",
    )
    segmentation.add_argument(
        "--smooth",
        type=positive,
        metavar="N",
        help="number of rounds of smoothing of surfaces, such as 10, which keep their volume (default: none)",
    )
    segmentation.add_argument(
        "--audit",
        type=_share,
        metavar="SHARE",
        help="evaluate random voxels that the extraction skipped, and print an upper bound (95 %%) on the share of all "
        "voxels that differ from dense; SHARE, such as 1e-3, is the bound to reach if none of these voxels differs",
    )
    segmentation.add_argument(
        "--audit-seed", type=int, default=0, metavar="SEED", help="random seed of these voxels (default: %(default)s)"
    )
    segmentation.set_defaults(command=_segment, parser=segmentation)


def _segment(arguments: argparse.Namespace) -> None:
    import numpy as np

    from ossnet.cli.surfaces import surfaces_to_write, write_surfaces
    from ossnet.data.case import Case
    from ossnet.data.nifti import has_spacing, read_image, write_label
    from ossnet.data.voxel_grid import VoxelGrid
    from ossnet.evaluation.evaluation import extractor, field_of_case
    from ossnet.inference.audit import extract_and_audit
    from ossnet.training.run import load_run

    refuse_unused(arguments, arguments.mesh is not None, "--mesh", "--smooth")
    refuse_unused(arguments, arguments.audit is not None, "--audit", "--audit-seed")
    model, spec = load_run(arguments.model, device_of(arguments))
    surfaces = [] if arguments.mesh is None else surfaces_to_write(arguments.mesh, spec.preprocessing)
    _check_files(arguments, surfaces)
    adapt(model, arguments)
    image, affine = read_image(arguments.images)
    if len(image) != len(spec.modalities):
        raise UserError(
            f"{arguments.model} takes {len(spec.modalities)} modalities ({', '.join(spec.modalities)}), but "
            f"{' '.join(map(str, arguments.images))} contain {len(image)}; give one file per modality in this order, "
            "or one 4-D file"
        )
    name, spacing_known = Path(arguments.images[0]).name, has_spacing(arguments.images[0])
    case = Case(name, image, None, affine, spec.modalities, spacing_known)
    shape = case.shape
    written = VoxelGrid(shape, affine).resampled(shape_to_write(arguments, case))
    extraction = arguments.extraction or model.extraction
    extract = extractor(extraction)
    field, grid = field_of_case(model, case, spec.preprocessing, written.shape)
    del image, case  # The field has the prepared image.
    audit = None
    if arguments.audit is None:
        result = extract(field, grid, arguments.max_locations)
    else:
        generator = torch.Generator().manual_seed(arguments.audit_seed)
        result, audit = extract_and_audit(extract, field, grid, arguments.max_locations, arguments.audit, generator)
    mask = result.segmentation.cpu().numpy()
    # Surfaces are written first, so that no mask is left behind if that fails.
    of_surfaces = write_surfaces(
        surfaces,
        field,
        grid,
        result.segmentation,
        written.affine,
        arguments.max_locations,
        arguments.smooth or 0,
        spacing_known,
    )
    write_label(arguments.output, spec.preprocessing.stored(mask), written.affine, like=arguments.images[0])
    voxels = np.count_nonzero(mask)
    volume = f"{voxels * written.voxel_mm3 / 1000:.1f} ml" if spacing_known else "of unknown size"
    print(
        f"{arguments.output}: {voxels} voxels, {volume}, {extraction}: "
        f"{' + '.join(map(str, result.evaluated))} locations"
    )
    if written.shape != shape:
        size = f" of {' x '.join(f'{edge:.4g}' for edge in written.spacing_mm)} mm" if spacing_known else ""
        print(f"{arguments.output}: {' x '.join(map(str, written.shape))} voxels{size}, over the volume of {name}")
    if spec.preprocessing.orientation == "stored":
        print(f"{arguments.model} was trained on axes as they are stored, so {name} was not reoriented for it")
    if audit is not None:
        print(
            f"audit: of {audit.sampled} voxels, drawn from {audit.skipped} skipped ones, {audit.differing} differ from "
            f"dense; at most {audit.bound:.2g} of all voxels do (95 % bound)"
        )
    for line in of_surfaces:
        print(line)


def _check_files(arguments: argparse.Namespace, surfaces: "Sequence[Surface]") -> None:
    """Raise if a file to write has a wrong name, cannot be written, or is an image or another file to write."""
    from ossnet.data.nifti import SUFFIXES
    from ossnet.inference.mesh import MESH_SUFFIXES

    places = {path.resolve(): "one of the images" for path in map(Path, arguments.images)}
    meshes = [("--mesh", surface.path, f"the surface of {surface.name}") for surface in surfaces]
    for option, path, what in [("-o", arguments.output, "the file for the mask"), *meshes]:
        if path.resolve() in places:
            raise UserError(f"{option} {path} would overwrite {places[path.resolve()]}; give another name")
        places[path.resolve()] = what
    _require_name("-o", arguments.output, SUFFIXES, "NIfTI")
    for option, path, _ in meshes:
        _require_name(option, path, MESH_SUFFIXES, "PLY or OBJ")


def _require_name(option: str, path: Path, endings: Sequence[str], file_format: str) -> None:
    """Raise if a file name has none of the endings or nothing before it, or if it cannot be written."""
    ending = next((ending for ending in endings if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise UserError(f"{option} {path} is not a name of a {file_format} file; end it in {' or '.join(endings)}")
    if len(path.name) == len(ending):
        raise UserError(f"{option} {path} is only a suffix; add a name, such as mask{ending}")
    require_writable(path)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1, such as 1e-3")
    return value
