# Two commands do everything: `make demo` and `make test`. Both make the environment first.
PYTHON ?= python3
BIN := .venv/bin
# A CPU build of torch; with a GPU: make setup TORCH_SOURCE=
TORCH ?= torch==2.13.0
TORCH_SOURCE ?= --extra-index-url https://download.pytorch.org/whl/cpu --retries 0
INSTALL := PYTHON=$(PYTHON) flows/scripts/python/install.sh
DEMO := build/demo

WORKERS ?= 2
ROUNDS ?= 10
MUTANTS ?= 30
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest

# Compiled modules are kept: without them each process compiles torch anew, for a quarter of a minute.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test nightly formal mutate lint style docs figures bench data open-toolchain finn-env pynq-env clean

setup: .venv/ready

# constraints.txt pins what tests and lint are run with; torch is what TORCH says. By uv where it is on
# the path, else by pip.
.venv/ready: pyproject.toml constraints.txt
	@echo "== environment in .venv (about 2 GB; minutes on a slow line)"
	$(INSTALL) .venv $(TORCH_SOURCE) '$(TORCH)'
	$(INSTALL) .venv --constraint constraints.txt --editable '.[train,dev]'
	touch $@

# A small padded 1-bit CNN, from training to the simulated accelerator, on images that ship with
# scikit-learn.
demo: setup
	rm -rf $(DEMO)
	$(BIN)/bonn-hw train flows/experiments/digits.toml --out $(DEMO)/run
	$(BIN)/bonn-hw export $(DEMO)/run --out $(DEMO)/digits.onnx
	$(BIN)/bonn-hw compile $(DEMO)/digits.onnx --board pynq-z2 --fps 50000 --checkpoint $(DEMO)/run --out $(DEMO)/accelerator
	$(BIN)/bonn-hw simulate $(DEMO)/accelerator --dataset digits --checkpoint $(DEMO)/run --json $(DEMO)/sim.json

# Fashion-MNIST, where it is not there yet.
data: setup
	$(BIN)/bonn-hw setup data fashion-mnist

# Types are checked beside the tests: the check has a single thread, for a minute.
test: setup style data
	@echo "== tests and types"
	@$(BIN)/mypy & types=$$!; $(PYTEST) -n $(WORKERS) --durations 60; tests=$$?; \
	  wait $$types && exit $$tests

# What takes too long for each change: random tests on new examples, ROUNDS times; bitstreams, large
# networks (ResNet-18 at 224x224), and what other tests prove too; mutants.
nightly: test
	for round in $$(seq $(ROUNDS)); do \
	  $(PYTEST) -n $(WORKERS) -m 'hypothesis and not large' --hypothesis-profile nightly || exit 1; \
	done
	$(PYTEST) -m large
	$(BIN)/python -m tests.mutation --count $(MUTANTS)

# Every kernel in every tiny configuration, for all inputs, stalls and times (docs/proofs.md).
formal: setup
	$(BIN)/python -m tests.formal

# One changed operator at a time: how many of these faults are found (docs/proofs.md).
mutate: setup
	$(BIN)/python -m tests.mutation

lint: style
	$(BIN)/mypy

style: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# The documentation as a site, without network access: build/docs/index.html. A warning is an error.
docs: setup
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

# All pages and pictures of docs/ that follow from code; screenshots if there is a Chromium.
figures: setup
	$(BIN)/python -m benchmarks.figures

# Timings, side by side in one run; the tables are kept in docs/.
bench: setup
	$(BIN)/python -m benchmarks

# Open place and route for the 7 series, in the cache folder; no root.
open-toolchain: setup
	$(BIN)/bonn-hw setup open-toolchain

# FINN, in an environment of its own (.venv-finn).
finn-env: .venv-finn/ready

.venv-finn/ready: flows/scripts/finn/environment.sh flows/scripts/finn/requirements.txt | setup
	$(BIN)/bonn-hw setup finn --out .venv-finn

# The real pynq, and files that Vivado wrote for its boards, for tests (.venv-pynq).
pynq-env: .venv-pynq/ready

.venv-pynq/ready: tests/support/pynq_environment.sh
	PYTHON=$(PYTHON) tests/support/pynq_environment.sh .venv-pynq

# All that commands and tools left behind; the environments (.venv, .venv-finn, .venv-pynq) stay.
clean:
	rm -rf build dist runs sweeps *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
