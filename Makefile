# Each target does its own set-up: a virtual environment in .venv, made once and renewed when the dependencies change.
PYTHON ?= python3
DATASET ?= glioma
PROFILE ?= laptop
JOBS ?=
OPTIONS ?=
SAVED ?=
CELL ?= table2 c dice
STUDY ?=
WEIGHTS ?=
REAL ?=
BIN := .venv/bin
READY := .venv/.ready
# Recipes read these variables from the environment, so that their values may contain spaces and quotes.
export DATASET PROFILE SAVED STUDY WEIGHTS REAL
RUN = $(BIN)/python -m benchmarks run --data "$$DATASET" --profile "$$PROFILE" $(if $(JOBS),--workers $(JOBS)) $(OPTIONS)
# Run studies, then draw the named figures, even if a run failed (1), but not after a user's mistake (2) or an interrupt (130).
run_and_draw = $(RUN) $(1); status=$$?; test $$status -gt 1 || $(BIN)/python -m paper_figures $(2); exit $$status
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed; name one with PYTHON=..."; exit 2; }
BENCH = $(BIN)/python -m pytest benchmarks/micro -q --benchmark-enable --benchmark-storage=results/benchmarks \
	--benchmark-max-time=0.5 --benchmark-warmup=on --benchmark-warmup-iterations=1 \
	--benchmark-group-by=group --benchmark-columns=min,median,iqr,rounds

.PHONY: help setup table1 table2 table3 inference adaptive tables ablations confidence locations study figure4 figure5 figure6 \
	scaling league whole speed fullsize transfer gpu figures claims simulate status verify reproduce reference bench bench-compare test lint clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z0-9-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Options:"
	@echo "  of tables, table1, table2, inference, adaptive, ablations, confidence, locations, study, league, figure4, transfer:"
	@echo "    DATASET=glioma|liver|brats:FOLDER|lits:FOLDER|cases.csv"
	@echo "    PROFILE=laptop|workstation|paper|released|my.toml JOBS=4 (runs at a time; by default one per GPU, or two without a GPU)"
	@echo "  of these and of table3, figure5, figure6, scaling, whole, speed, fullsize, gpu: OPTIONS=--retry-failed (try again what has failed)"
	@echo "  of table3, figure5, figure6, scaling, whole, speed, gpu: OPTIONS=--shared (measure on a GPU that others use, too)"
	@echo "  of reproduce: DATASET=brats:FOLDER|lits:FOLDER WEIGHTS=FOLDER OPTIONS='--protocol paper' (only this one)"
	@echo "  of gpu: OPTIONS='--limit-minutes 20'; of verify: DATASET, PROFILE and OPTIONS=--no-train; of claims: PROFILE"

$(READY): pyproject.toml constraints.txt
	@$(CHECK_PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (a minute or two, once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(READY)  ## Set up .venv and do nothing else

tables: $(READY)  ## Tables 3, 2 and 1 and the comparison of inferences, each printed when it is complete, then figures
	@$(call run_and_draw,,sampling models tradeoff figure1 segmentations memory_parts)

table1: $(READY)  ## Table 1: sampling strategies and numbers of locations
	@$(RUN) table1

table2: $(READY)  ## Table 2: every model
	@$(RUN) table2

confidence: $(READY)  ## Confidence sampling against uniform and border sampling, from five seeds
	@$(call run_and_draw,confidence,confidence)

locations: $(READY)  ## Every extraction against its number of locations per pass, on the models that table2 trains
	@$(call run_and_draw,locations,locations)

study: $(READY)  ## A study of your own and its figure: STUDY=my-study.toml, see benchmarks/README.md
	@test -n "$$STUDY" || { echo "Name the file of a study with STUDY=my-study.toml"; exit 2; }
	@$(call run_and_draw,"$$STUDY","$$STUDY")

table3: $(READY)  ## Table 3: memory of every model, predicted, and measured as far as this machine can
	@$(call run_and_draw,table3,memory_parts)

inference: $(READY)  ## Comparison of inferences: the original and the improved one, by the paper's text and by its code
	@$(RUN) inference

adaptive: $(READY)  ## Our adaptive extraction next to the octree, on the same models
	@$(RUN) adaptive

ablations: $(READY)  ## OSS-Net C with single changes and other sizes, O-Net with single additions (an hour without a GPU)
	@$(call run_and_draw,ablations additions sizes borders,ablations additions sizes borders)

figure4: $(READY)  ## Figure 4: stages of an extraction with the OSS-Net C that table2 trains
	@$(call run_and_draw,figure4,figure4)

figure5: $(READY)  ## Figure 5: runtime of a segmentation against locations per pass (about 10 minutes without a GPU)
	@$(call run_and_draw,figure5,figure5)

figure6: $(READY)  ## Figure 6: memory of one pass against its number of locations
	@$(call run_and_draw,figure6,figure6)

scaling: $(READY)  ## Memory and time of every model against the volume's resolution
	@$(call run_and_draw,scaling,scaling)

league: $(READY)  ## Every model and its successors under equal time, and under equal memory (an hour on two cores)
	@$(call run_and_draw,tuning league,league)

whole: $(READY)  ## Memory and time of segmenting 512^3 voxels with OSS-Net C (a few minutes without a GPU)
	@$(RUN) whole

speed: $(READY)  ## Speed and memory of OSS-Net C against the plain path and the released code (about 15 minutes)
	@$(call run_and_draw,speed,speed)

fullsize: $(READY)  ## Time and memory of preparing and training on full-size cases, on the CPU (about 5 minutes)
	@$(RUN) fullsize

transfer: $(READY)  ## Apply every model of table2 to the cases of another data set, unselected: REAL=cases.csv
	@test -n "$$REAL" || { echo "Name the other data set with REAL=cases.csv"; exit 2; }
	@$(BIN)/python -m benchmarks transfer "$$REAL" --data "$$DATASET" --profile "$$PROFILE" \
		$(if $(JOBS),--workers $(JOBS)) $(OPTIONS); status=$$?; \
		test $$status -gt 1 || $(BIN)/python -m paper_figures transfer; exit $$status

gpu:  ## Measure all that needs a GPU, ten minutes per call; PYTHON=... with torch, numpy, pandas and nvidia-ml-py
	@$(CHECK_PYTHON)
	@$(PYTHON) -m benchmarks.commands.gpu $(OPTIONS)

figures: $(READY)  ## Draw every figure from the records, without training
	@$(BIN)/python -m paper_figures

claims: $(READY)  ## Judge the paper's claims by the records and by its own tables
	@$(BIN)/python -m benchmarks claims --profile "$$PROFILE"

simulate: $(READY)  ## Simulate how often intervals cover the truth and claims are judged correctly (a minute)
	@$(BIN)/python -m benchmarks simulate

status: $(READY)  ## Show how many runs and measurements are done, failed, running or missing
	@$(BIN)/python -m benchmarks status

verify: $(READY)  ## Show where a number of a table comes from, and train one of its seeds again: CELL="table2 c dice"
	@$(BIN)/python -m benchmarks verify $(CELL) --data "$$DATASET" --profile "$$PROFILE" $(OPTIONS)

reproduce: $(READY)  ## Table 2 from released weights, without training: DATASET=brats:FOLDER WEIGHTS=FOLDER
	@test -n "$$WEIGHTS" || { echo "Name the folder of the released checkpoints with WEIGHTS=FOLDER"; exit 2; }
	@$(BIN)/python -m benchmarks reproduce --data "$$DATASET" --weights "$$WEIGHTS" $(OPTIONS)

reference: $(READY)  ## Make the results of this checkout the committed reference (for maintainers)
	$(BIN)/python -m benchmarks collect > /dev/null
	$(BIN)/python -m benchmarks reference results/reference
	rm -rf results/reference/tables results/reference/figures
	$(BIN)/python -m benchmarks collect --results results/reference --no-reference
	$(BIN)/python -m benchmarks claims --results results/reference > /dev/null
	$(BIN)/python -m benchmarks simulate --results results/reference > /dev/null
	$(BIN)/python -m paper_figures --results results/reference

bench: $(READY)  ## Time the parts of the suite, and save the times for bench-compare
	@$(BENCH) --benchmark-autosave

bench-compare: $(READY)  ## Time the parts again and compare with the times saved last, or with SAVED=0002
	@$(BENCH) --benchmark-compare$(if $(SAVED),="$$SAVED")

test: $(READY)  ## Run the tests
	@$(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(READY)  ## Check style, types and the layers of the packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

clean:  ## Remove caches, tables and figures; runs and records stay
	rm -rf results/cache results/tables results/figures .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
