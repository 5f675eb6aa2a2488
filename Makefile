# make compare: the default comparison, from nothing.   make test: lint, types, docs, tests.
# make docs: the documentation as pages in build/docs.   make fuzz: 10,000 damaged inputs.
# Each makes its own virtual environment; VENV=DIR puts it elsewhere, PYTHON=python3.12 picks a Python.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: compare test lint types docs unit fuzz examples bench windows fit fidelity picture findings mutations barriers limits reports clean lock

compare: $(VENV)/.run
	$(BIN)/spfvar compare

# What takes one core runs beside its like; the tests have workers of their own.
test: $(VENV)/.test
	$(MAKE) --jobs=2 --output-sync=target lint types docs
	$(MAKE) unit
	$(MAKE) examples

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy spfvar variants twins races tests benchmarks docs
	MYPYPATH=examples/table-seq/src $(BIN)/mypy examples/table-seq/src/table_seq examples/table-seq/tests

docs: $(VENV)/.test
	$(BIN)/python -m sphinx -E -W --keep-going -n -q docs build/docs

# A third of the cases where a test has very many; SPFVAR_FULL=1 takes all.
unit: $(VENV)/.test
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --durations=40 --durations-min=5

# The long form of tests/fuzz, of which an ordinary test run has a sample.
fuzz: $(VENV)/.test
	SPFVAR_FUZZ=1 $(BIN)/python -m pytest -q --durations=0 tests/fuzz

# Installed outside the environment, so that the project's own comparisons do not find them.
EXAMPLES := $(CURDIR)/build/examples

examples: $(VENV)/.test
	rm -rf $(EXAMPLES)
	$(PIP) install --quiet --no-deps --no-build-isolation --target $(EXAMPLES) examples/table-seq
	cd examples/table-seq && PYTHONPATH=$(EXAMPLES) $(abspath $(BIN))/python -m pytest -q -n 2 --dist loadfile

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks.bench

windows: $(VENV)/.test
	$(BIN)/python -m benchmarks.windows

fit: $(VENV)/.test
	$(BIN)/python -m benchmarks.fit

fidelity: $(VENV)/.test
	$(BIN)/python -m benchmarks.fidelity

picture: $(VENV)/.test
	$(BIN)/python -m benchmarks.picture > docs/scaling.svg.new && mv docs/scaling.svg.new docs/scaling.svg

findings: $(VENV)/.test
	$(BIN)/python -m benchmarks.findings > docs/findings.md.new && mv docs/findings.md.new docs/findings.md

mutations: $(VENV)/.test
	$(BIN)/python -m benchmarks.mutations > docs/mutations.md.new && mv docs/mutations.md.new docs/mutations.md

barriers: $(VENV)/.test
	$(BIN)/python -m benchmarks.barriers > docs/barriers.md.new && mv docs/barriers.md.new docs/barriers.md

limits: $(VENV)/.test
	$(BIN)/python -m docs._ext.limits > docs/limits.md.new && mv docs/limits.md.new docs/limits.md

reports: $(VENV)/.test
	$(BIN)/python -m benchmarks.reports

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spfvar needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(PIP) install --quiet --constraint requirements.lock --editable .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) install --quiet --constraint requirements.lock --editable '.[test,bench,docs]'
	touch $@

# Only for maintainers: write the versions of a fresh environment.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet '.[test,bench,docs]'
	build/lock/bin/python -m pip freeze --exclude spfvar > requirements.lock

clean:
	rm -rf $(VENV) build dist docs/reference *.egg-info
