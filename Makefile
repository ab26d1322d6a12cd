# Everything runs in .venv, built once from the pinned versions in constraints.txt.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup search test lint format docs clean

TABLE := data/contraceptive.csv

search: ARGS ?= --data $(TABLE) --target Contraceptive_method --objective worst_class --seeds 10
search: .venv/ready $(TABLE)
	$(BIN)/python -m autobalance.search $(ARGS)

$(TABLE): .venv/ready
	$(BIN)/python -m experiments.public contraceptive

test: .venv/ready
	$(BIN)/python -m pytest $(ARGS)

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
