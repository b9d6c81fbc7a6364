# Each target does its own set-up: a virtual environment in .venv, made once and renewed when the dependencies change.
PYTHON ?= python3
DATASET ?= glioma
PROFILE ?= laptop
JOBS ?= 2
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup tables test lint clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z].*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Options of tables: DATASET=glioma|liver|brats:FOLDER|lits:FOLDER|cases.csv PROFILE=laptop|workstation|paper JOBS=2 (runs at a time)"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (a minute or two, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(READY)  ## Only set up .venv

tables: $(READY)  ## Train and compare every model of Table 2; writes results/tables/
	@$(BIN)/python -m benchmarks table2 --data $(DATASET) --profile $(PROFILE) --workers $(JOBS)
	@$(BIN)/python -m paper_figures segmentations

test: $(READY)  ## Run the tests
	@$(BIN)/python -m pytest -q

lint: $(READY)  ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

clean:  ## Remove caches, tables and figures; trained runs stay
	rm -rf results/cache results/tables results/figures .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
