# Everything runs in .venv, built once from the pinned versions in constraints.txt.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup search test shuffled coverage wheel lint format docs clean

TABLE := data/contraceptive.csv

search: ARGS ?= --data $(TABLE) --target Contraceptive_method --objective worst_class --seeds 10
search: .venv/ready $(TABLE)
	$(BIN)/python -m autobalance.search $(ARGS)

$(TABLE): .venv/ready
	$(BIN)/python -m experiments.public contraceptive

test: .venv/ready
	$(BIN)/python -m pytest $(ARGS)

# In another order each time, which is printed, and in parallel: tests that lean on one another fail.
shuffled: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p randomly --numprocesses auto $(ARGS)

coverage: .venv/ready
	$(BIN)/python -m coverage run -m pytest $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --fail-under 92

wheel: .venv/ready
	.ci/wheel

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site, in build/site; warnings are errors.
docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv runs build *.egg-info
