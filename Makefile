# Needs make and Python 3.11 or later; everything else is installed into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint docs wheel bench bench-large clean

demo: $(VENV)/installed
	@$(BIN)/python -m tests.e2e.demo --port $(PORT)

test: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed-for-docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html docs build/docs
	@echo "open build/docs/index.html"

# Builds it, installs it into a fresh environment, and tries it from another directory.
wheel: $(VENV)/installed
	$(BIN)/python tests/e2e/wheel.py

bench: $(VENV)/installed-for-tests
	$(BIN)/python -m tests.benchmarks

bench-large: $(VENV)/installed-for-tests
	$(BIN)/python -m tests.benchmarks --large

clean:
	rm -rf $(VENV) .demo build

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-for-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@
