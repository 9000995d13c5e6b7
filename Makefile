# Directory Bridge. Needs Python 3.11 or newer and make; everything else goes into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
PACKAGES := . plugins/ldap_backend plugins/sql_backend plugins/webhook_backend
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)

DIR ?= .bridge-quickstart
HOST ?= 127.0.0.1
PORT ?= 8080
ARGS ?=
WORKERS ?= 4# processes that share the tests; many of them wait for a server

##@ Use

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: .venv/.installed ## install the bridge and its backends into .venv

.PHONY: run
run: install ## start the bridge with an embedded journal; prints what to paste into Okta
	@$(BIN)/bridge quickstart --dir "$(DIR)" --host "$(HOST)" --port "$(PORT)" $(ARGS)

##@ Check

.PHONY: check
check: format-check lint types imports test ## everything a change must pass: format, lint, types, import rules, tests, docs

.PHONY: test
test: dev containers directories ## run the whole test suite, against real servers (ARGS="tests/unit -x" for a part)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadscope $(ARGS)

.PHONY: faults
faults: dev containers directories ## the tests that kill, stop and starve processes
	@$(BIN)/python -m pytest -q -m faults $(ARGS)

.PHONY: bench
bench: dev containers ## measure, and print the figures
	@for program in $$(grep -l __main__ bench/*.py | xargs -n1 basename -s .py); do \
	  echo "== bench.$$program"; $(BIN)/python -m "bench.$$program" $(ARGS); done

.PHONY: format-check
format-check: dev
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }

.PHONY: lint
lint: dev ## ruff, with every rule the project does not refuse by name
	@$(BIN)/ruff check --quiet .

.PHONY: types
types: dev ## mypy, strict
	@$(BIN)/mypy

.PHONY: imports
imports: dev ## the layers of the house (import-linter)
	@$(BIN)/lint-imports --no-logo

##@ Change

.PHONY: dev
dev: .venv/.installed-dev ## install what checking takes into .venv

.PHONY: format
format: dev ## format the code and repair what ruff can repair
	@$(BIN)/ruff check --quiet --fix-only . ; $(BIN)/ruff format --quiet .

.PHONY: golden
golden: dev ## write the golden files anew; review the diff
	@$(BIN)/python -m pytest -q --golden-update $(or $(ARGS),tests plugins) ; git status --short -- '*golden*'

.PHONY: lock
lock: dev ## resolve the dependencies anew into the hash-pinned lock files
	@$(LOCK) --group build requirements.in -o requirements.lock
	@$(LOCK) --group build --group dev -c requirements.lock requirements.in -o requirements-dev.lock

.PHONY: containers
containers: ## prepare Docker and the OpenLDAP image of the tests
ifndef BRIDGE_TEST_OPENLDAP_URI
	@scripts/prepare-docker.sh || { [ -z "$${BRIDGE_TEST_REQUIRE:-}" ] && \
	  echo "containers: going on without; tests that need them say so and are skipped"; }
endif

.PHONY: directories
directories: ## install the directory servers of the tests that come from packages (389DS, Samba)
	@scripts/prepare-directories.sh

.PHONY: clean
clean: ## remove .venv, caches and test containers that were left behind
	@rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist site
	@find . -name __pycache__ -prune -exec rm -rf {} +
	@! command -v docker >/dev/null || docker ps -aq --filter ancestor=directory-bridge-test-openldap \
	  2>/dev/null | xargs -r docker rm -f >/dev/null

# ---- how .venv is made -------------------------------------------------------------------------------
# The lock files carry hashes, which pip then demands of every package: the project's own, which have
# none, are installed by a call of their own, with the build tools the lock brought.

OWN := --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
LOCK = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
  --no-config --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
  $(addprefix --no-emit-package=,directory-bridge $(addprefix directory-bridge-,ldap sql webhook))

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

.venv/.installed: .venv/.created requirements.lock $(PROJECTS)
	@echo "install: the bridge and its backends, into .venv"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install $(OWN)
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	@echo "install: what checking takes, into .venv"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
