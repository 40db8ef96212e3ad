# Needs make and Python 3.11 or later; everything else is installed into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

# Workers of `make test`: one more than this machine has cores, since tests also wait for processes and sockets.
WORKERS ?= $(shell expr $$(nproc) + 1)
# Stores of tests are made in memory where there is room: most of what they wait for is the disk.
ROOM := $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 4000000 ] 2>/dev/null && echo /dev/shm)
PYTEST := $(if $(ROOM),TMPDIR=$(ROOM)) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
# Processes that tests start load faster what is compiled, even where a shell forbids that.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-fast test-thorough collect coverage mutants lint format docs wheel bench bench-large soak clean

help: ## say what each target does
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: $(VENV)/installed ## start a service and a platform that calls it
	@$(BIN)/python -m tests.e2e.demo --port $(PORT)

test: $(VENV)/installed-for-tests ## run the tests, with PostgreSQL and a browser
	$(PYTEST) -m "not thorough"

test-fast: $(VENV)/installed-for-tests ## run the tests that need neither PostgreSQL nor a browser and take no seconds
	$(PYTEST) -m "not thorough and not postgres and not browser and not slow"

# PROFILE=whole tries each property with all its examples, and takes longer.
PROFILE ?= thorough
test-thorough: $(VENV)/installed-for-tests ## run the long proofs, and each property with most of its examples
	$(PYTEST) -m "thorough or hypothesis" --hypothesis-profile $(PROFILE)

collect: $(VENV)/installed-for-tests ## collect the tests, and so compile them
	$(BIN)/python -m pytest --collect-only --quiet --quiet >/dev/null

coverage: $(VENV)/installed-for-tests ## run the tests and say which lines none of them runs
	$(PYTEST) -m "not thorough" --cov api --cov domain --cov projections --cov-report term:skip-covered --cov-report html:build/coverage

# All groups of tests/mutants/groups.py, or those that GROUPS names; MUTANTS_AT_ONCE=2 for two at a time.
mutants: $(VENV)/installed-for-mutants ## change the code on purpose, and list the changes that no test notices
	$(BIN)/python -m tests.mutants $(GROUPS)

lint: $(VENV)/installed-for-tests ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed-for-tests ## format the code, and fix what can be fixed automatically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed-for-docs ## build the documentation into build/docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --builder html docs build/docs
	@echo "open build/docs/index.html"

# Builds it, installs it into a fresh environment, and tries it from another directory.
wheel: $(VENV)/installed ## build the wheel and try it in a fresh environment
	$(BIN)/python tests/e2e/wheel.py

bench: $(VENV)/installed-for-tests ## measure, and print one table
	$(BIN)/python -m tests.benchmarks

bench-large: $(VENV)/installed-for-tests ## measure with large ledgers too
	$(BIN)/python -m tests.benchmarks --large

# MINUTES, SEED (another one each time), STORE=sqlite or postgres (both in turn), and ROUND to run one again. Needs cc.
soak: $(VENV)/installed-for-tests ## try to break it: traffic and faults at random, judged after each round
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(STORE),--store $(STORE)) $(if $(ROUND),--round $(ROUND))

clean: ## remove what was built and installed
	rm -rf $(VENV) .demo build

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-for-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

$(VENV)/installed-for-mutants: $(VENV)/installed-for-tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutants]'
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@
