# What people run. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin

# Given on the command line these win over the environment and .env: make run PORT=8600 DEMO=0
run: export MA_DEMO := $(or $(DEMO),1)
ifdef PORT
run: export MA_PORT := $(PORT)
endif
ifdef HOST
run: export MA_HOST := $(HOST)
endif

# Without bytecode kept between starts, every start compiles everything again: twice as slow.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test lint bench demo-data pin clean

help:  ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

run: .venv/.installed  ## set everything up, load the demo world into a new database, serve the app (DEMO=0: no demo)
	@$(BIN)/python app.py

test: .venv/.installed-dev lint  ## set everything up and run every test
	@$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m pytest -m "not browser" --numprocesses auto --maxprocesses 4 --dist loadfile
	$(BIN)/python -m pytest -m browser

lint: .venv/.installed-dev  ## check style and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench: .venv/.installed-dev  ## measure speed as ratios (some minutes)
	@for file in $$(grep -l __main__ bench/*.py); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

demo-data: .venv/.installed-dev  ## derive data/complete_journey again from its source
	$(BIN)/python data/build_complete_journey.py

pin: .venv/.installed-dev  ## pin requirements.txt and requirements-dev.txt again from their .in files
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate --no-header requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate --no-header requirements-dev.in -o requirements-dev.txt

clean:  ## remove the environment and caches; the database stays
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .schemathesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

# --no-compile halves the installation; what is used is compiled at its first import.
.venv/.installed: .venv/bin/python requirements.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-dev.txt
	@touch $@
