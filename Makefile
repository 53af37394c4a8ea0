# Every command of the project. `make check` is what CI runs.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One figure for both: the cores that tests may use.
TEST_WORKERS ?= 2
# In CI a missing service fails the tests that need it; elsewhere they are reported as NOT RUN.
SERVICES := $(if $(filter true,$(CI)),required,optional)
PYTEST := $(BIN)/pytest --services=$(SERVICES)
PYTHON_PATHS := api assets bench dashboards factoryops ingest pipelines rules scripts tests warehouse

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(STAMP) ## make .venv with every dependency, checked against the hashes of requirements.lock
	@:

$(STAMP): requirements.lock scripts/uv.lock scripts/setup.sh pyproject.toml
	@scripts/setup.sh $(VENV)
	@touch $@

.PHONY: demo
demo: setup ## start everything with two simulated factories; Ctrl-C stops it
	@$(BIN)/factoryops up --demo

.PHONY: services
services: ## install the programs that tests need: mosquitto, PostgreSQL, Chromium (root), or say which are missing
	@scripts/services.sh

.PHONY: test
test: setup services ## run every test (ARGS="-k name" narrows)
	@$(PYTEST) -n $(TEST_WORKERS) --dist worksteal $(ARGS)

.PHONY: test-fast
test-fast: setup ## run the tests that need no service and take under 2 s each
	@$(PYTEST) -n $(TEST_WORKERS) -m "not slow" $(ARGS)

.PHONY: test-outgrown
test-outgrown: setup services ## run the tests of the warehouse on PostgreSQL and an S3-compatible store instead of SQLite and folders
	@$(PYTEST) -n $(TEST_WORKERS) --dist worksteal --storage=outgrown tests/warehouse $(ARGS)

.PHONY: format
format: setup ## let ruff format the code and mend what it can
	@$(BIN)/ruff format $(PYTHON_PATHS)
	@$(BIN)/ruff check --fix $(PYTHON_PATHS)

.PHONY: lint
lint: lint-format lint-rules lint-types lint-imports ## formatting, rules, types, import contracts

.PHONY: lint-format
lint-format: setup ## only the formatting (make format mends it)
	@$(BIN)/ruff format --check $(PYTHON_PATHS)

.PHONY: lint-rules
lint-rules: setup ## only ruff's rules
	@$(BIN)/ruff check $(PYTHON_PATHS)

.PHONY: lint-types
lint-types: setup ## only mypy
	@$(BIN)/mypy

.PHONY: lint-imports
lint-imports: setup ## only the order of the folders (import-linter)
	@$(BIN)/lint-imports

.PHONY: audit
audit: setup ## ask whether a dependency has a known vulnerability (said aloud when that cannot be asked)
	@$(BIN)/python scripts/audit_dependencies.py

.PHONY: check
check: lint audit test ## what CI runs: lint and every test (documentation is tested by tests/test_*documented.py)

.PHONY: bench
bench: setup ## run every benchmark and print its figures as JSON (NAME=alert-latency runs one)
	@missed=0; for name in $(or $(NAME),$$($(BIN)/factoryops bench list)); do \
		$(BIN)/factoryops bench "$$name" --json || missed=1; done; exit $$missed

.PHONY: soak
soak: setup services ## all processes, 1,000 msg/s, killed at random, then watched; 60 minutes (MINUTES=20); then look for every message and alert
	@$(PYTEST) -n 0 -s tests/ingest/test_soak.py --soak-minutes $(or $(MINUTES),60)

.PHONY: drills
drills: setup services ## practise the failures of docs/operations/runbook.md with longer outages (SECONDS_AWAY=60)
	@$(PYTEST) -n 0 --drill-seconds $(or $(SECONDS_AWAY),60) tests/drills \
		tests/ingest/test_database_away.py tests/ingest/test_lake_away.py tests/ingest/test_admission.py tests/rules/test_shards.py $(ARGS)

.PHONY: sbom
sbom: setup ## write sbom.json: every package with version and licence (CycloneDX); says which licence is to be looked at
	@$(BIN)/python scripts/sbom.py

.PHONY: fuzz
fuzz: setup ## give the decoder a million bent payloads (INPUTS=10000, SEED=1 for the same ones again)
	@$(PYTEST) -n 0 -s tests/ingest/test_fuzz.py --fuzz-inputs $(or $(INPUTS),1000000) --fuzz-seed $(or $(SEED),$$RANDOM)

.PHONY: docs
docs: setup ## write the references of settings, commands, tables and metrics, and .env.example, from the code
	@$(BIN)/python scripts/document_settings.py
	@$(BIN)/python scripts/document_commands.py
	@$(BIN)/python scripts/document_tables.py
	@$(BIN)/python scripts/document_metrics.py

.PHONY: screenshots
screenshots: setup services ## make the pictures of every page for docs/images (NAMES="machines users" makes those)
	@$(BIN)/python scripts/screenshots.py $(NAMES)

.PHONY: lock
lock: setup ## resolve pyproject.toml again into requirements.lock, with hashes and without index addresses
	@$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
		--no-header --no-emit-index-url --quiet -o requirements.lock

.PHONY: clean
clean: ## remove .venv and caches; what an installation stored in .factoryops stays
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
