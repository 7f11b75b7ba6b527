# Everything a developer does. `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench browser clean

demo: $(READY) ## watch a small tanh RNN learn English, and report
	$(BIN)/gradreach demo

test: $(READY) ## all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

check: $(READY) ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY) ## what the engine, the layers and watching cost, beside their rivals in the same run
	$(BIN)/python bench/engine.py $(BENCH_ARGS)
	$(BIN)/python bench/watching.py $(BENCH_ARGS)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $@

clean: ## remove what was made
	rm -rf $(VENV) gradreach-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
