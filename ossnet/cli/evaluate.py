"""The command `ossnet evaluate`."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ossnet.cli.device import adapt, device_of
from ossnet.cli.options import (
    Commands,
    chosen_split,
    data_options,
    extraction_options,
    machine_options,
    precision_options,
    settings,
)
from ossnet.cli.unused import refuse_unused
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.data.sources import EMBEDDED, open_dataset, with_released_split
from ossnet.data.splits import SPLITS, Split, scored_split, without_unlabelled
from ossnet.files import require_writable, write_text

if TYPE_CHECKING:
    import pandas as pd

    from ossnet.evaluation.kept_scores import KeptScores
    from ossnet.model import SegmentationModel
    from ossnet.training.run import RunSpec
    from ossnet.training.validation import ProtocolName


def add(commands: Commands) -> None:
    """Add the command."""
    evaluation = commands.add_parser(
        "evaluate",
        parents=[data_options(), extraction_options(), precision_options(), machine_options()],
        help="score a trained model on labelled cases",
        description="Score a trained model on the cases of a split, print the scores of each, and write them. By "
        "default, cases are segmented densely on their own grids, and scored by Dice, IoU, 95 % Hausdorff distance, "
        "surface Dice and false-positive volume: means over the classes or regions, and where there are several, also "
        "of each. --protocol gives other scores. A run that was trained with --folds or --split-file is scored by "
        "default on that split of its data set. The same command continues after an interruption with the cases that "
        "are missing; their scores are kept beside --out in a file .unfinished until all are done.",
    )
    evaluation.add_argument("run", type=Path, metavar="RUN", help="folder of the trained model")
    evaluation.add_argument(
        "--split",
        choices=SPLITS,
        help="split to score (default: test, or validation in a data set without test cases, as in the paper)",
    )
    evaluation.add_argument(
        "--protocol",
        nargs="+",
        default=["dense"],
        choices=("paper", "released", "dense"),
        help="protocols to score by, with all of them on the same cases: dense, every voxel of the case's own grid; "
        "paper, 2^17 uniform locations of the prepared volume; released, as the paper's released code does it, on the "
        "split that it lists unless --folds or --split-file, now or in the training, gives another (default: dense)",
    )
    evaluation.add_argument(
        "--tolerance-mm",
        type=float,
        help="tolerance of the surface Dice of the protocol dense in mm (default: 2, or the longest voxel edge if that "
        "is longer)",
    )
    evaluation.add_argument(
        "--regions",
        metavar="NAME",
        help="by the protocol dense, score regions in place of classes: brats (whole tumour, tumour core, enhancing "
        "tumour; with other label values brats2023, or brats-msd of the Medical Segmentation Decathlon), lits (liver, "
        "tumour), or a table of stored label values such as {core=[1,4],oedema=[2]}",
    )
    evaluation.add_argument(
        "--allow-learned-cases",
        action="store_true",
        help="score cases even if the model has learned from them, or may have",
    )
    evaluation.add_argument(
        "--out", type=Path, metavar="CSV", help="file for the scores (default: RUN/scores-SPLIT.csv)"
    )
    evaluation.set_defaults(command=_evaluate, parser=evaluation)


class _Cases(NamedTuple):
    """Cases to score.

    Attributes:
        dataset: their data set, with the modalities of the model.
        split: their split.
        roles_of: function that returns the role of each case in the training, after the cases have been scored.
        notes: lines for the user on what is scored.
    """

    dataset: Dataset
    split: Split
    roles_of: Callable[[], dict[str, str]]
    notes: list[str]


class _Part(NamedTuple):
    """Scoring of all cases by some of the protocols.

    Attributes:
        score: function that returns the scores.
        kept: scores that it begins with and keeps.
    """

    score: Callable[[], "pd.DataFrame"]
    kept: "KeptScores"


def _evaluate(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from ossnet.data.regions import regions_for
    from ossnet.evaluation.class_scores import refuse_other_values
    from ossnet.evaluation.kept_scores import not_kept
    from ossnet.training.run import load_run

    protocols = tuple(dict.fromkeys(arguments.protocol))
    of_dense = ("--extraction", "--tolerance-mm", "--regions")
    refuse_unused(arguments, "dense" in protocols, "--protocol dense", *of_dense)
    refuse_unused(arguments, arguments.data in EMBEDDED, f"--data {' or '.join(EMBEDDED)}", "--profile")
    model, spec = load_run(arguments.run, device_of(arguments))
    regions = None if arguments.regions is None else settings([f"regions={arguments.regions}"])["regions"]
    regions = regions_for(spec.dataset, regions)
    require_writable(arguments.out or arguments.run / "scores.csv")
    adapt(model, arguments)
    cases = _cases_to_score(arguments, spec, protocols, regions)
    path = arguments.out or arguments.run / f"scores-{cases.split}.csv"
    parts = _parts(arguments, model, spec, cases, protocols, regions, path)
    names = not_kept(cases.dataset.splits[cases.split], [part.kept for part in parts])
    refuse_other_values(cases.dataset, names, spec.preprocessing)
    for note in cases.notes:
        print(note)
    scores = pd.concat([part.score() for part in parts], ignore_index=True)
    scores = scores.assign(
        precision=arguments.precision or spec.recipe.precision, role_in_training=scores["case"].map(cases.roles_of())
    )
    write_text(path, scores.to_csv(index=False))
    for part in parts:
        part.kept.remove()
    _print(scores, protocols)
    print(f"written to {path}")


def _cases_to_score(
    arguments: argparse.Namespace, spec: "RunSpec", protocols: Sequence["ProtocolName"], regions: Any
) -> _Cases:
    """Choose the data set and the split to score, and refuse cases that cannot or must not be scored.

    Raises:
        UserError: the data set cannot be opened or split, there is nothing to score, labels mean something else than
            the model has learned, or the model has learned from a case.
    """
    from ossnet.cli.learned_cases import roles_in_evaluation
    from ossnet.cli.split_of_run import with_split_of_run
    from ossnet.data.modalities import with_modalities
    from ossnet.evaluation.class_scores import scored_classes
    from ossnet.training.compared_labels import refuse_other_labels
    from ossnet.training.profile import load_profile
    from ossnet.training.protocols import dataset_of_protocol

    run, allowed = arguments.run, arguments.allow_learned_cases
    # Before any data are read, since the regions may be wrong.
    scored = [scored_classes(spec.preprocessing, regions if name == "dense" else None) for name in protocols]
    generator = load_profile(arguments.profile).generator(arguments.data)
    source = with_released_split(arguments.data) if "released" in protocols else arguments.data
    # No workers, since only the cases that are scored need to be made. Modalities are chosen before cases are compared
    # with those of the training, which are known by the modalities that the model has seen.
    dataset = open_dataset(source, generator, arguments.cache, workers=0)
    dataset = with_split_of_run(dataset, run, spec, chosen_split(arguments, spec.fold), allowed)
    dataset = with_modalities(dataset, spec.modalities)
    sets = [indices for classes in scored for indices in classes.values()]
    not_compared = refuse_other_labels(run, spec, dataset, sets, regions)
    split = scored_split(dataset, arguments.split)
    dataset, unlabelled = without_unlabelled(dataset, split)
    dataset, roles_of = roles_in_evaluation(run, spec, dataset, split, arguments.cache, allowed)
    notes = [not_compared] if not_compared else []
    if unlabelled:
        notes.append(f"left out, since they have no label: {', '.join(unlabelled)}")
    if split != (arguments.split or "test"):
        notes.append(f"data set {dataset.name} has no test cases, so its {split} cases are scored")
    if "released" in protocols and dataset_of_protocol(spec.dataset, dataset.name) is None:
        names = " or ".join(dict.fromkeys([spec.dataset, dataset.name]))
        notes.append(f"protocol released as for BraTS, 2^17 uniform locations, since the paper has no data set {names}")
    return _Cases(dataset, split, roles_of, notes)


def _parts(
    arguments: argparse.Namespace,
    model: "SegmentationModel",
    spec: "RunSpec",
    cases: _Cases,
    protocols: Sequence["ProtocolName"],
    regions: Any,
    table: Path,
) -> list[_Part]:
    """Return the scoring by the sampled protocols and that by the protocol `dense`, of those that are chosen."""
    from ossnet.evaluation.class_scores import scored_classes
    from ossnet.evaluation.evaluation import evaluate_run
    from ossnet.evaluation.kept_scores import KeptScores
    from ossnet.training.checkpoint import weights_digest
    from ossnet.training.protocols import dataset_of_protocol, evaluate_sampled, sampled_protocol

    dataset, split, preprocessing = cases.dataset, cases.split, spec.preprocessing
    # Not the numbers of locations and slices per pass, which change no score: they are lowered to go on where the
    # memory was too small.
    of_model = [weights_digest(model.state_dict()), spec.identity, arguments.precision or spec.recipe.precision]
    of_paper = dataset_of_protocol(spec.dataset, dataset.name) or dataset.name
    sampled = [sampled_protocol(name, of_paper) for name in protocols if name != "dense"]
    parts = []
    if sampled:
        kept = KeptScores(table, [*of_model, [plain(protocol) for protocol in sampled]], dataset)
        score = partial(
            evaluate_sampled, model, preprocessing, dataset, split, sampled, arguments.max_locations, kept=kept
        )
        parts.append(_Part(score, kept))
    if "dense" in protocols:
        extraction, tolerance_mm = arguments.extraction or model.extraction, arguments.tolerance_mm
        classes = scored_classes(preprocessing, regions)
        kept = KeptScores(table, [*of_model, "dense", extraction, tolerance_mm, classes], dataset)
        score = partial(
            evaluate_run,
            model,
            preprocessing,
            spec.modalities,
            dataset,
            split,
            extraction,
            arguments.max_locations,
            tolerance_mm,
            regions,
            kept,
        )
        parts.append(_Part(score, kept))
    return parts


def _print(scores: "pd.DataFrame", protocols: Sequence[str]) -> None:
    from ossnet.evaluation.class_scores import describe

    for protocol in protocols:
        if len(protocols) > 1:
            print(f"protocol {protocol}")
        print(describe(scores[scores["protocol"] == protocol]))
    unknown = scores["case"][~scores["spacing_known"].astype(bool)].unique()
    if len(unknown) and "dense" in protocols:
        print(
            f"{len(unknown)} cases have no scores in mm or ml, since their files do not state the size of voxels: "
            f"{', '.join(unknown)}"
        )
