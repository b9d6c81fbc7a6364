from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies.locations import EXTRACTIONS, LOCATIONS, LOCATIONS_PER_PASS
from benchmarks.studies.table2 import TABLE2
from ossnet.data.case import Dataset
from ossnet.inference.extraction import EXTRACTORS
from ossnet.training.profile import load_profile

LAPTOP = load_profile("laptop")


def test_every_extraction_is_swept_over_the_ends_of_figure_5_on_the_models_of_table_2(dataset: Dataset) -> None:
    assert set(EXTRACTIONS) <= set(EXTRACTORS)
    assert LOCATIONS == (2**8, 2**11, 2**14, 2**17)
    trained = {Segmentation.of(point, LAPTOP, dataset).training.identity for point in TABLE2.grid(LAPTOP)}
    specs = [Segmentation.of(point, LAPTOP, dataset) for point in LOCATIONS_PER_PASS.grid(LAPTOP)]
    assert len({spec.training.identity for spec in specs}) == 3
    assert {spec.training.identity for spec in specs} <= trained
    assert {(spec.extraction, spec.max_locations) for spec in specs} == {(e, n) for e in EXTRACTIONS for n in LOCATIONS}
