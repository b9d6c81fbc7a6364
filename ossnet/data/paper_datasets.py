"""The paper's two data sets among those of the suite."""

PAPER_DATASETS = {"glioma": "brats", "brats2020": "brats", "liver": "lits"}
"""Maps a data set, by its name in results, to the one of the paper that it is or stands in for, `brats` or `lits`,
where the names differ."""


def is_of_paper(name: str) -> bool:
    """Return whether a data set, by its name in results, is one of the paper or stands in for one."""
    return PAPER_DATASETS.get(name, name) in PAPER_DATASETS.values()
