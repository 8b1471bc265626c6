# One entry for everything. `make` alone prints what there is.

PYTHON ?= python3
VENV   ?= .venv

# Processes that run tests side by side, each with a PostgreSQL of its own; much of the time a test waits for others.
TESTERS ?= 3

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE  := src tests examples benchmarks docs
PROSE := $(wildcard *.md)

.DEFAULT_GOAL := help
.PHONY: help install run test test-kills test-system faults chaos check fix docs bench clean
.PHONY: check-format check-lint check-types check-layers check-docs check-spelling

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## make the virtual environment; the other targets do it when they need it

run: $(STAMP) ## run the main example
	@$(BIN)/python -m examples.assets

test: $(STAMP) ## run the tests, on SQLite and on a real PostgreSQL; no root, nothing to install
	@$(BIN)/python -m pytest -m "not system and not slow" -n $(TESTERS) --dist worksteal

test-kills: $(STAMP) ## charge a card a thousand times through a thousand kills; takes some minutes
	@OPWRIGHT_TEST_KILLS=1000 $(BIN)/python -m pytest tests/integration/test_charge_once.py -k "a_card_is_charged_once and postgresql and charge-" --timeout 900

faults: $(STAMP) ## inject the faults of docs/faults.md, run the slow tests; prints a table of what held
	@$(BIN)/python -m pytest tests/faults tests/integration tests/chaos -m "fault or slow" -n $(TESTERS) --dist worksteal

test-system: $(STAMP) ## run the tests that need Debian packages; installs those where it may
	@tests/system/install.sh
	@$(BIN)/python -m pytest -m system

check: ## format, lint, types, layers, docs, spelling: judge without changing anything
check: check-format check-lint check-types check-layers check-docs check-spelling

check-format: $(STAMP)
	@$(BIN)/ruff format --check $(CODE)

check-lint: $(STAMP)
	@$(BIN)/ruff check $(CODE)

check-types: $(STAMP)
	@$(BIN)/mypy

check-layers: $(STAMP)
	@$(BIN)/lint-imports --no-cache --no-logo

check-docs: $(STAMP)
	@$(BIN)/sphinx-build -q -n -W --keep-going docs docs/_build/html

check-spelling: $(STAMP)
	@$(BIN)/codespell $(CODE) $(PROSE)

fix: $(STAMP) ## format, and mend what can be mended without thought
	@$(BIN)/ruff check --fix-only $(CODE)
	@$(BIN)/ruff format $(CODE)

docs: $(STAMP) ## build the pages into docs/_build/html
	@$(BIN)/sphinx-build -n -W --keep-going docs docs/_build/html

bench: $(STAMP) ## measure beside other systems, about half an hour; prints the tables that docs and README quote
	@$(BIN)/python -m benchmarks

chaos: $(STAMP) ## two hosts under random kills, stops, cuts and a restart, then an audit; SEED=123 repeats a plan, OPERATIONS=1000
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(OPERATIONS),--operations $(OPERATIONS))

clean: ## remove the virtual environment and everything built
	@rm -rf $(VENV) docs/_build build/peers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The stamp says that the environment agrees with pyproject.toml. A broken environment is made anew, because
# pip cannot mend one whose Python is gone.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Opwright needs Python 3.11 or newer. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python cannot make virtual environments. On Debian or Ubuntu:" >&2; \
		echo "    apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable ".[all,test,dev]"
	@touch $@
