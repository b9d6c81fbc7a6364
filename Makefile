# Each target does its own set-up: a virtual environment in .venv, made once and renewed when the dependencies change.
PYTHON ?= python3
DATASET ?= glioma
PROFILE ?= laptop
JOBS ?=
BIN := .venv/bin
READY := .venv/.ready
RUN = $(BIN)/python -m benchmarks run --data $(DATASET) --profile $(PROFILE) $(if $(JOBS),--workers $(JOBS))

.PHONY: help setup table1 table2 tables figures claims status reference test lint clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9]*:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Options of tables, table1 and table2: DATASET=glioma|liver|brats:FOLDER|lits:FOLDER|cases.csv"
	@echo "  PROFILE=laptop|workstation|paper|my.toml JOBS=4 (runs at a time; one a GPU, two without a GPU)"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (a minute or two, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(READY)  ## Only set up .venv

tables: $(READY)  ## Make the runs that are missing of every table, then the tables and figures
	@$(RUN); status=$$?; test $$status -gt 1 || $(BIN)/python -m paper_figures sampling models segmentations; exit $$status

table1: $(READY)  ## Table 1: sampling strategies and numbers of locations
	@$(RUN) table1

table2: $(READY)  ## Table 2: every model
	@$(RUN) table2

figures: $(READY)  ## Draw every figure from the records, without training
	@$(BIN)/python -m paper_figures

claims: $(READY)  ## Judge the paper's claims by the records and by its own tables
	@$(BIN)/python -m benchmarks claims --profile $(PROFILE)

status: $(READY)  ## Tell which runs are done, failed, running or missing
	@$(BIN)/python -m benchmarks status

reference: $(READY)  ## Make the results of this checkout the committed reference (for maintainers)
	$(BIN)/python -m benchmarks collect --no-reference
	$(BIN)/python -m benchmarks claims > /dev/null
	$(BIN)/python -m paper_figures
	rm -rf results/reference
	mkdir results/reference
	cp -r results/records results/tables results/figures results/reference/

test: $(READY)  ## Run the tests
	@$(BIN)/python -m pytest -q

lint: $(READY)  ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

clean:  ## Remove caches, tables and figures; runs and records stay
	rm -rf results/cache results/tables results/figures .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
