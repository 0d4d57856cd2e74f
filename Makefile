# Each target works from a fresh clone, in any order, and again.
# It needs only make, Python 3.10 or newer (PYTHON=python3.12 chooses one) and a network to a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
READY_TEST := $(VENV)/.installed-test
READY_DEV := $(VENV)/.installed-dev
READY_DOCS := $(VENV)/.installed-docs

.PHONY: help demo test lint docs bench bundles clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    both tasks on the packaged example, results in demo/"
	@echo "make test    the test suite (ARGS=... are handed to pytest)"
	@echo "make lint    import-linter, ruff and mypy"
	@echo "make docs    the pages and the API reference, in build/docs; a warning is an error"
	@echo "make bench   every command in benchmarks/"
	@echo "make bundles trains the weights that the bundles ship anew"
	@echo "make clean   removes what these made"

demo: $(READY)
	$(BIN)/monai-consingan demo --output demo --overwrite

# a process of one thread for each core
test: $(READY_TEST)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

lint: $(READY_DEV)
	@! $(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11))" || $(BIN)/lint-imports --no-cache
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the project's root is the source folder, so that the README and the bundles' pages belong to it
docs: $(READY_DOCS)
	$(BIN)/python -m sphinx -c docs -W --keep-going -q . build/docs
	@echo "build/docs/index.html"

bench: $(READY_TEST)
	@for script in $(sort $(wildcard benchmarks/[a-z]*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# one thread, as the last bits of the weights depend on how many add up
bundles: $(READY_TEST)
	OMP_NUM_THREADS=1 $(BIN)/python tools/rebuild_bundles.py bundles/consingan_harmonization bundles/consingan_editing

clean:
	rm -rf $(VENV) .venv-bootstrap demo build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find monai_consingan tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment without pip is one whose making was cut short: it is made anew. Debian's python3 comes without
# ensurepip until python3-venv is installed: virtualenv then does the same.
$(READY): setup.cfg setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "monai-consingan needs Python 3.10 or newer: make PYTHON=/path/to/python3.10" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || { \
		$(PYTHON) -m pip install --quiet --target .venv-bootstrap virtualenv \
		&& PYTHONPATH=.venv-bootstrap $(PYTHON) -m virtualenv --quiet --clear $(VENV); } || { \
		echo "$(PYTHON) has neither venv nor pip: install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[fast]'
	@touch $@

$(READY_TEST): $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[test]'
	@touch $@

$(READY_DEV): $(READY_TEST)
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	@touch $@

$(READY_DOCS): $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[docs]'
	@touch $@
