# Everything a developer does. `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test-fast test exhaustive check bench study experiments schema docs pictures clean

demo: $(READY) ## watch a small tanh RNN learn English, and report
	$(BIN)/gradreach demo

test-fast: $(READY) ## the tests that are not marked slow: what to run while working, four to five minutes on 2 cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" $(PYTEST_ARGS)

test: $(READY) ## all tests but the exhaustive ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not exhaustive" $(PYTEST_ARGS)

exhaustive: $(READY) ## what the tests try a part of, whole: every kind of tensor under every transform, half an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m exhaustive $(PYTEST_ARGS)

check: $(READY) ## formatting, lint, types, layers and dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture

bench: $(READY) ## what everything costs, beside its rivals in the same run
	$(BIN)/python bench/engine.py $(BENCH_ARGS)
	$(BIN)/python bench/steps.py $(BENCH_ARGS)
	$(BIN)/python bench/watching.py $(BENCH_ARGS)
	$(BIN)/python bench/clipping.py $(BENCH_ARGS)
	$(BIN)/python bench/guarding.py $(BENCH_ARGS)
	$(BIN)/python bench/truncation.py $(BENCH_ARGS)
	$(BIN)/python bench/memory.py $(BENCH_ARGS)
	$(BIN)/python bench/configurations.py $(BENCH_ARGS)
	$(BIN)/python bench/report.py $(BENCH_ARGS)

study: $(READY) ## what thresholds, the guard and the question to the data do to whole trainings, healthy and faulty
	$(BIN)/python bench/thresholds.py $(BENCH_ARGS)
	$(BIN)/python bench/faults.py
	$(BIN)/python bench/dependency/study.py $(BENCH_ARGS)

experiments: $(READY) ## every claim of the theory, measured anew for the documentation
	$(BIN)/gradreach experiments all --jobs 2 --out docs/results $(EXPERIMENT_ARGS)

schema: $(READY) ## the JSON schemas of the docs, drawn anew from the fields
	$(BIN)/python -m gradreach.report.json_schema docs/schema

docs: $(READY) ## the pages, their code executed, their figures drawn; open docs/_build/html/index.html
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

pictures: $(READY) ## what README and how-tos show of terminal and page, from their scripts run anew; needs Chromium
	$(BIN)/python docs/pictures.py $(PICTURES)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev --group docs
	touch $@

clean: ## remove what was made
	rm -rf $(VENV) gradreach-out docs/_build docs/_drawn docs/rules .pytest_cache .mypy_cache .ruff_cache .hypothesis
