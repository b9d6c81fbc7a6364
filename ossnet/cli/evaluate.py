"""The command `ossnet evaluate`."""

import argparse
from pathlib import Path

from ossnet.cli.device import adapt, device_of
from ossnet.cli.options import Commands, data_options, extraction_options, machine_options, precision_options
from ossnet.data.sources import open_dataset
from ossnet.errors import UserError
from ossnet.files import require_writable, require_writable_folder, write_text


def add(commands: Commands) -> None:
    """Add the command."""
    evaluation = commands.add_parser(
        "evaluate",
        parents=[data_options(), extraction_options(), precision_options(), machine_options()],
        help="score a trained model on labelled cases",
        description="Segment the cases of a split densely on their own grids, and print and write the Dice, IoU, "
        "95 % Hausdorff distance, surface Dice and false-positive volume of each.",
    )
    evaluation.add_argument("run", type=Path, metavar="RUN", help="folder of the trained model")
    evaluation.add_argument(
        "--split", default="test", choices=("train", "validation", "test"), help="split to score (default: %(default)s)"
    )
    evaluation.add_argument(
        "--tolerance-mm",
        type=float,
        help="tolerance of the surface Dice in mm (default: 2, or the longest voxel edge if that is longer)",
    )
    evaluation.add_argument(
        "--allow-learned-cases",
        action="store_true",
        help="score cases even if the model has learned from them, or may have",
    )
    evaluation.add_argument(
        "--out", type=Path, metavar="CSV", help="file for the scores (default: RUN/scores-SPLIT.csv)"
    )
    evaluation.set_defaults(command=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    from ossnet.data.modalities import with_modalities
    from ossnet.data.voxels import keeping_voxel_digests
    from ossnet.evaluation.evaluation import evaluate_run
    from ossnet.progress import ProgressLine
    from ossnet.training.profile import load_profile
    from ossnet.training.run import load_run
    from ossnet.training.seen_cases import read_seen_cases, refuse_learned_cases, roles_in_training

    path = arguments.out or arguments.run / f"scores-{arguments.split}.csv"
    model, spec = load_run(arguments.run, device_of(arguments))
    require_writable(path)
    adapt(model, arguments)
    generator = load_profile(arguments.profile).generator(arguments.data)
    # No workers, since only the cases that are scored need to be made. Modalities are chosen before cases are compared
    # with those of the training, which are known by the modalities that the model has seen.
    dataset = with_modalities(open_dataset(arguments.data, generator, arguments.cache, workers=0), spec.modalities)
    learned = read_seen_cases(arguments.run)
    if learned is not None:
        _require_cache(arguments.cache)
    if arguments.allow_learned_cases:
        # Cases are compared when they are read to be scored, since nothing depends on it before.
        dataset = keeping_voxel_digests(dataset, arguments.cache) if learned is not None else dataset
    else:
        names = dataset.splits[arguments.split]
        # No line at the end, since comparing digests that are kept takes no time.
        with ProgressLine(
            f"comparing {len(names)} cases with the training cases", len(names), report_end=False
        ) as line:
            roles = roles_in_training(
                dataset, arguments.split, arguments.cache, learned, lambda done, _: line.update(done)
            )
        refuse_learned_cases(dataset, arguments.split, roles, spec.dataset, spec.fingerprint, str(arguments.run))
    scores = evaluate_run(
        model,
        spec.preprocessing,
        spec.modalities,
        dataset,
        arguments.split,
        arguments.extraction or model.extraction,
        arguments.max_locations,
        arguments.tolerance_mm,
    )
    roles = roles_in_training(dataset, arguments.split, arguments.cache, learned)
    scores = scores.assign(
        precision=arguments.precision or spec.recipe.precision, role_in_training=scores["case"].map(roles)
    )
    write_text(path, scores.to_csv(index=False))
    table = scores.pivot(index="case", columns="quantity", values="value")
    print(table.round(4).to_string())
    for quantity, values in table.items():
        print(f"mean {quantity}: {values.mean():.4f} over {values.count()} of {len(table)} cases")
    unknown = scores["case"][~scores["spacing_known"]].unique()
    if len(unknown):
        print(
            f"{len(unknown)} cases have no scores in mm or ml, since their files do not state the size of voxels: "
            f"{', '.join(unknown)}"
        )
    print(f"written to {path}")


def _require_cache(cache: Path) -> None:
    try:
        require_writable_folder(cache)
    except UserError as error:
        raise UserError(f"{error} with --cache") from error
