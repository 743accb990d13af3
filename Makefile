# `make figures` and `make test` set everything up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DATA ?=

.PHONY: setup figures test test-fast chromium axe lint lab notebooks docs wheel bench faults clean help
.DEFAULT_GOAL := help

help:  ## Show the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 18

setup: $(STAMP)  ## Make .venv with the package and everything for development.

# uv installs in seconds; where it can't reach an index that pip can, pip does the same work.
# Compiled bytecode and a cleared PYTHONDONTWRITEBYTECODE: without them each test process compiles pandas anew.
unexport PYTHONDONTWRITEBYTECODE
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install -q --compile-bytecode -p $(BIN)/python -c constraints.txt -e '.[dev]' \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

figures: $(STAMP)  ## Draw the figures and tables into figures/ (DATA=path/to/benchmark.json for your own).
	$(BIN)/mmdu figures $(if $(DATA),--data "$(DATA)") --out figures

test: $(STAMP) chromium axe  ## Run the whole suite.
	$(BIN)/python -m pytest -n 2

test-fast: $(STAMP)  ## Run the tests that take seconds.
	$(BIN)/python -m pytest -n 2 -m "not slow"

# The browser's tests need Chromium; where it can't be installed they skip, and say so.
chromium:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "Chromium isn't here and can't be installed: the browser's tests will skip"

# Rules of accessibility for the browser's tests, from npm; without it these tests skip, and say so.
axe:
	@test -f .cache/axe-core/package/axe.min.js || { command -v npm >/dev/null && mkdir -p .cache/axe-core \
	  && (cd .cache/axe-core && npm pack --silent axe-core@4.14.1 >/dev/null && tar -xzf axe-core-4.14.1.tgz); } \
	  || echo "axe-core isn't here and can't be fetched: the tests of accessibility will skip"

lint: $(STAMP)  ## Check style, types, layers, and the dependencies' licences and advisories.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_dependencies.py

lab: $(STAMP)  ## Open JupyterLab on the notebooks.
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

notebooks: $(STAMP)  ## Run the notebooks on the shipped facts and save them with their outputs.
	env -u MMDU_DATA -u MMDU_SCORES -u MMDU_ANSWERS $(BIN)/jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb

docs: $(STAMP)  ## Build the documentation into docs/_build/html; warnings are errors.
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

wheel: $(STAMP)  ## Install the built wheel into a fresh environment without extras and run the main commands.
	$(BIN)/python scripts/smoke_wheel.py

bench: $(STAMP)  ## Measure speed, side by side with plain scripts (a quarter of an hour, 4 GB of disk).
	$(BIN)/python -m benchmarks

faults: $(STAMP)  ## Spoil 40,000 files and replies, kill 100 commands.
	$(BIN)/python -m benchmarks.faults

clean:  ## Remove .venv and caches; figures/ stays.
	rm -rf $(VENV) docs/_build docs/api docs/gallery docs/tutorials docs/project .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
