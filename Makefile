# `make demo` and `make test` need git, make and python3 >= 3.11; each sets up all it needs.
PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
STAMP := .venv/.ready

.PHONY: setup demo test check docs wheel bench bench-accuracy format clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/porescope demo -o demo --overwrite

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

# The site: docs/_build/html/index.html. A warning is an error.
docs: setup
	$(BIN)/sphinx-build -W --keep-going -q -E docs docs/_build/html
	@echo "docs/_build/html/index.html"

# The wheel, installed into an environment of its own in which the demo is run: some minutes.
wheel: setup
	$(BIN)/python .ci/try_wheel.py

# The full-resolution search takes minutes: make bench FULL=1
bench: setup
	FULL=$(FULL) $(BIN)/python -m pytest benchmarks/test_*.py --benchmark-enable -s -p no:cacheprovider $(if $(FULL),,-m "not full")

# Every method on the simulated benchmark and on the published images: the tables of docs/accuracy.md.
bench-accuracy: setup
	$(BIN)/python benchmarks/accuracy.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv demo dist docs/_build docs/reference
