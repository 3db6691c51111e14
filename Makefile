# Everything a person does with this repository. Start with `make demo`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DOCS := $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . build/docs
PYTEST_FLAGS ?= -n 3 --dist loadfile --no-loadscope-reorder
QUICK := not (browser or notebook or kill or slow or thorough)

.PHONY: demo test quick thorough coverage check style types modules docs bench gpu bundles lab serve conformance format fuzz images clean help

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --upgrade pip
	@touch $@

.venv/.all: .venv/.python pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable '.[all]'
	@touch $@

.venv/.dev: .venv/.all
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

node_modules/.stamp: package.json package-lock.json
	scripts/install_node.sh
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

demo: .venv/.all  ## make the demo slides and open the app on them
	$(BIN)/workbench demo

serve: .venv/.all  ## serve the slides of SLIDES=folder
	$(BIN)/workbench serve --slides $(or $(SLIDES),demo)

lab: .venv/.all  ## JupyterLab with the tutorials and the Launcher card
	$(BIN)/jupyter lab notebooks

test: check  ## all tests, in a real browser too
	scripts/install_chromium.sh
	$(BIN)/python -m pytest $(PYTEST_FLAGS) -m "not thorough"

thorough: .venv/.dev  ## every case of what `make test` samples
	scripts/install_chromium.sh
	$(BIN)/python -m pytest $(PYTEST_FLAGS) -m thorough

quick: .venv/.dev  ## tests without browser, notebook, kill, fuzz and other slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "$(QUICK)"

coverage: .venv/.dev  ## all tests, and which branches of the package they go through
	scripts/install_chromium.sh
	$(BIN)/python -m pytest $(PYTEST_FLAGS) -m "not thorough" --cov --cov-report=term:skip-covered

check: .venv/.dev node_modules/.stamp  ## style, types, architecture and documentation
	@$(MAKE) --no-print-directory --jobs 2 types docs style modules

style: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/.dev
	$(BIN)/mypy

modules: node_modules/.stamp
	npm run --silent check
	npm run --silent test

docs: .venv/.dev  ## build the documentation site, build/docs/index.html
	$(DOCS)

bundles: node_modules/.stamp  ## make the browser's bundles anew from its modules
	npm run --silent bundle

format: .venv/.dev  ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/nbstripout notebooks/*.ipynb

fuzz: .venv/.dev  ## damaged files of every kind, for an hour; FUZZ="--help" for more
	PYTHONPATH=tests/support $(BIN)/python tests/fuzz/fuzz_driver.py $(or $(FUZZ),--seconds 3600 --keep)

bench: .venv/.dev  ## the benchmarks; peers are measured where they are installed
	$(BIN)/python benchmarks/read.py
	$(BIN)/python benchmarks/stain.py
	$(BIN)/python benchmarks/classifier.py
	$(BIN)/python benchmarks/nuclei.py

conformance: .venv/.dev  ## read exports with the programs they are for; writes docs/conformance.md
	$(BIN)/python scripts/conformance.py $(CONFORMANCE)

gpu: .venv/.dev  ## check and measure everything on a GPU; GPU="--dry-run" on the CPU
	$(BIN)/python benchmarks/gpu.py $(GPU)

images: .venv/.dev  ## take the screenshots of README and docs anew
	scripts/install_chromium.sh
	$(BIN)/python scripts/screenshots.py
	$(BIN)/python scripts/viewer_shots.py

clean:  ## remove what was made here, runs and demo slides excepted
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build
