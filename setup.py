"""Packages of the wheel; everything else about the distribution is in `pyproject.toml`.

The published numbers and the committed reference are files of the checkout's folder `results`. The wheel holds them as
`benchmarks/results`, where `benchmarks.names` finds them; which of their files it takes is in `pyproject.toml`.
"""

from setuptools import find_packages, setup

DATA = (
    "ossnet.profiles",
    "benchmarks.results.published",
    "benchmarks.results.reference.efficiency",
    "benchmarks.results.reference.records",
    "benchmarks.results.reference.tables",
)
"""Folders that hold no code: setuptools takes data from folders that are named as packages."""

setup(
    packages=[
        *find_packages(include=["ossnet*", "baselines*", "benchmarks*", "paper_figures*"]),
        *DATA,
    ],
    package_dir={"benchmarks.results": "results"},
)
