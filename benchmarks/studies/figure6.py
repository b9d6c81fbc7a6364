"""Figure 6: memory of one pass against its number of locations, at the resolution of BraTS."""

from collections.abc import Callable
from dataclasses import replace

from benchmarks.layout import Layout
from benchmarks.markup import Cell, Table, power_of_two
from benchmarks.names import model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import published_gigabytes
from benchmarks.probes.records import PREDICTED
from benchmarks.report.probe_cells import gigabytes, locations_cell, memory_notes, notes, number_cell
from benchmarks.studies.memory_table import RELEASED_CODE, THIS_SUITE, WORKSPACES
from benchmarks.study import DeviceType, Study
from benchmarks.workload import Implementation, Probe, Shape

MODELS = ("onet", "c")
DATASET = "brats"
SHAPE: Shape = (256, 256, 160)
LOCATIONS = tuple(2**power for power in range(8, 19))
LAPTOP_LOCATIONS = (2**8, 2**11, 2**14)
"""Numbers of locations on a CPU, which takes minutes for a pass of more."""

CHUNKS = (
    "This suite evaluates the locations of a pass in chunks and leaves the volume in host memory, so that its memory "
    "hardly depends on the number of locations"
)
FIGURE6_ABSENT = (
    "–: not in the paper's table. A CPU measures only "
    f"{', '.join(map(power_of_two, LAPTOP_LOCATIONS))} locations, so that a laptop is done in minutes"
)


def probes(locations: tuple[int, ...], implementation: Implementation = "suite") -> list[Probe]:
    """Return one pass of both models with each number of locations."""
    return [
        Probe("memory", model, DATASET, SHAPE, "inference", count, implementation=implementation)
        for model in MODELS
        for count in locations
    ]


def predicted() -> list[Probe]:
    """Return the passes of this suite and of the code behind the paper's figure."""
    return probes(LOCATIONS) + probes(LOCATIONS, "released")


def measured(device_type: DeviceType) -> list[Probe]:
    """Return every number of locations on a GPU, a few on a CPU."""
    return probes(LOCATIONS if device_type == "cuda" else LAPTOP_LOCATIONS)


def figure6_tables(answers: Answers) -> list[Table]:
    """Return the table of memory by number of locations: predicted, measured, and the paper's."""
    paper = published_gigabytes()
    columns: list[tuple[str, Callable[[Probe], Cell]]] = [
        ("paper", lambda probe: number_cell(paper.get(probe), "{:.2f}")),
        (
            "released code, predicted",
            lambda probe: gigabytes(answers, PREDICTED, replace(probe, implementation="released")),
        ),
        ("this suite, predicted", lambda probe: gigabytes(answers, PREDICTED, probe)),
    ]
    for machine in answers.shown:
        columns.append((f"measured, {answers.title(machine)}", _measured_by(answers, machine)))
    head = ["Locations"]
    head += [f"{model_name(model)}, {title} (GB)" for model in MODELS for title, _ in columns]
    rows = []
    for locations in LOCATIONS:
        of_models = probes((locations,))
        rows.append([locations_cell(of_models[0]), *(cell_of(probe) for probe in of_models for _, cell_of in columns)])
    caption = "Figure 6: memory of one pass at 256x256x160 voxels in GB (10^9 bytes). Paper: numbers of its Table 3."
    sentences = [RELEASED_CODE, THIS_SUITE, WORKSPACES, CHUNKS, FIGURE6_ABSENT]
    return [Table(caption, head, rows, notes([*sentences, *memory_notes(answers)]))]


def _measured_by(answers: Answers, machine: str) -> Callable[[Probe], Cell]:
    return lambda probe: gigabytes(answers, machine, probe)


FIGURE6 = Study(
    Layout("figure6", "Figure 6: memory of one pass"),
    predicted=predicted,
    measured=measured,
    tables=lambda found: figure6_tables(found.answers),
    only_by_name=True,
)
