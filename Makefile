# The Python that the virtual environment is made from: make setup PYTHON=python3.13
PYTHON ?= python3
# make demo ONCE=1 ends when every order has its answer; ORDERS and PORT are the demo's options.
ONCE ?=
ORDERS ?=
PORT ?=
# make test ARGS="tests/exports -k lease"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCKED := requirements-dev.txt requirements-setup.txt
# A process that has run its share takes items over from another.
PYTEST := $(BIN)/pytest -n auto --dist worksteal
UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-all test-postgres check containers pictures bench torture mutants lint format lock

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## the virtual environment, from the locked requirements

demo: $(INSTALLED) .env ## sample orders to a stand-in ERP and back, with everything running (ONCE=1: then stop)
	@$(BIN)/python manage.py demo $(if $(ONCE),--once) $(if $(ORDERS),--orders $(ORDERS)) $(if $(PORT),--port $(PORT))

test: $(INSTALLED) ## the fast tests, on all processors
	$(PYTEST) -m "not full" $(ARGS)

test-all: $(INSTALLED) ## every test, with all servers and installations; then test-postgres
	$(PYTEST) tests $(ARGS)
	$(MAKE) test-postgres

test-postgres: $(INSTALLED) ## the tests that use the database once more, on PostgreSQL
	$(BIN)/python -m tests.servers.postgres $(PYTEST) -m database $(ARGS)

check: lint test ## before a commit: style, form, types and the tests

containers: $(INSTALLED) ## the image and docker-compose.yml built, started and tried out, with Docker or podman
	$(BIN)/python -m tests.containers $(ARGS)

pictures: $(INSTALLED) ## of the admin in a browser, into docs/images
	PICTURES=docs/images $(BIN)/pytest -q tests/system/browser -m pictures $(ARGS)

bench: $(INSTALLED) ## the benchmarks, into docs/measurements/performance.md (ARGS="connector acks": some; ARGS=--quick: a try)
	$(BIN)/python -m tests.bench $(ARGS)

torture: $(INSTALLED) ## the trials by fault, into docs/measurements/reliability.md (ARGS="kills --seed 7": some; ARGS=--quick: a try)
	$(BIN)/python -m tests.trials $(ARGS)

mutants: $(INSTALLED) ## slips in a copy of the code, to see that the tests notice (ARGS="delivery --jobs 2": some)
	$(BIN)/python -m tests.mutants $(ARGS)

lint: $(INSTALLED) ## style, form and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

format: $(INSTALLED) ## the code, into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(INSTALLED) ## requirements*.in into requirements*.txt, with hashes (ARGS=--upgrade: the newest versions)
	$(COMPILE) $(ARGS) requirements-setup.in --output-file requirements-setup.txt
	$(COMPILE) $(ARGS) requirements.in --output-file requirements.txt
	$(COMPILE) $(ARGS) requirements-dev.in --output-file requirements-dev.txt

$(INSTALLED): $(LOCKED)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit( \
		"OrderFlow needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d. Name another: PYTHON=python3.13" % v)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt || \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

# Keys of this installation: made once, never replaced.
.env: | $(INSTALLED)
	@ENV_FILE= $(BIN)/python -m orderflow.keys
