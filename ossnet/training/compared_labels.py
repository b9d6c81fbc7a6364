"""Comparison of what label values mean in a training and in the data that its model is scored on or trained on next."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ossnet.data.case import Dataset
from ossnet.data.label_names import Named, not_compared, refuse_other_names
from ossnet.data.regions import refuse_other_regions
from ossnet.training.learned_labels import FILE, earlier_names, names_to_learn, read_label_names
from ossnet.training.run import RunSpec, read_spec


def refuse_other_labels(
    run: Path,
    spec: RunSpec,
    dataset: Dataset,
    scored: Iterable[Sequence[int]],
    regions: Any = None,
    source: Dataset | None = None,
) -> str | None:
    """Raise a UserError if labels to be scored have other meanings than those that a model has learned.

    Labels of the data that the model was trained on are not compared, so that names can be corrected for other data.

    Args:
        run: folder of the model's training.
        spec: specification of that training.
        dataset: data set of the cases to be scored.
        scored: class indices of each class or region to be scored.
        regions: regions that are scored in place of the model's own, see
            `ossnet.evaluation.class_scores.scored_classes`.
        source: data set of the training, whose names count where the folder has no record, as before the training.

    Returns:
        A sentence for the user if some values could not be compared, since they have no names.

    Raises:
        UserError: the meanings differ, or the record of the training cannot be read.
    """
    values = spec.preprocessing.learned_values
    if not values:
        return None
    if source is None or (run / FILE).exists():
        learned = Named(f"the training of {run}", read_label_names(run, spec.preprocessing))
        correctable = str(run / FILE)
    else:
        learned = Named(f"data set {source.name}", names_to_learn(spec.preprocessing, source.label_names))
        correctable = "those of one of the data sets"
    given = Named(f"data set {dataset.name}", dataset.label_names)
    sets = [[values[index - 1] for index in indices] for indices in scored]
    note = None
    if dataset.fingerprint != spec.fingerprint:
        joined = ", or score regions that join these values (--regions)" if source is None else ""
        remedy = f"change the labels of the data set{joined}; if the names mean the same, correct {correctable}"
        refuse_other_names(sets, learned, given, remedy)
        note = not_compared({value for of_set in sets for value in of_set}, learned, given) if len(values) > 1 else None
    # Only now, since no regions of a name fit a model and data that differ.
    if isinstance(regions, str):
        refuse_other_regions(regions, "--regions", learned, given)
    return note


def not_compared_with_start(spec: RunSpec, dataset: Dataset, start: Path) -> str | None:
    """Return a sentence for the user if a training cannot compare some label values with the run that it starts from.

    Args:
        spec: specification of the training.
        dataset: its data set.
        start: folder of the run that it starts from.

    Raises:
        UserError: the record of that run cannot be read.
    """
    before, values = read_spec(start), spec.preprocessing.learned_values
    if len(values) < 2 or before.fingerprint == spec.fingerprint:
        return None
    earlier = earlier_names(spec.preprocessing, start, before.preprocessing)
    names = names_to_learn(spec.preprocessing, dataset.label_names)
    return not_compared(values, Named(f"the training of {start}", earlier), Named(f"data set {dataset.name}", names))
