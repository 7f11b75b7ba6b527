# Everything a developer does. `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench study clean

demo: $(READY) ## watch a small tanh RNN learn English, and report
	$(BIN)/gradreach demo

test: $(READY) ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

check: $(READY) ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY) ## what everything costs, beside its rivals in the same run
	$(BIN)/python bench/engine.py $(BENCH_ARGS)
	$(BIN)/python bench/watching.py $(BENCH_ARGS)
	$(BIN)/python bench/clipping.py $(BENCH_ARGS)
	$(BIN)/python bench/guarding.py $(BENCH_ARGS)
	$(BIN)/python bench/truncation.py $(BENCH_ARGS)

study: $(READY) ## what thresholds, the guard and the question to the data do to whole trainings, healthy and faulty
	$(BIN)/python bench/thresholds.py $(BENCH_ARGS)
	$(BIN)/python bench/faults.py
	$(BIN)/python bench/dependency/study.py $(BENCH_ARGS)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

clean: ## remove what was made
	rm -rf $(VENV) gradreach-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
