# The whole developer interface. `make help` lists it.
# Needs make, python3 (3.11 or 3.12) and python3-venv; everything else is fetched into .venv
# and node_modules.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# node comes from the virtual environment, so that every machine checks with the same one.
export PATH := $(CURDIR)/$(BIN):$(PATH)
PROTEUS_HOME ?= .proteus
# worksteal: a process that has run all its tests takes half of the other's, so that no long file is
# run while one core is idle. A file's tests are split at one place at most, or its set-up costs more.
PYTEST := $(BIN)/pytest -n 2 --dist worksteal
# What a developer of the server can do without; the marks: CONTRIBUTING.md.
NOT_FAST := browser faults slow process ceph postgres torch
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
FAST := not $(subst $(SPACE), and not ,$(NOT_FAST))
LOADER_LIMIT_BYTES := 4096

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.base ## Start the whole service and the demo shop; Ctrl-C stops it
	@exec $(BIN)/python -m local --parent $$PPID

.PHONY: clean-demo
clean-demo: ## Forget the demo's data
	@rm -rf -- $(PROTEUS_HOME)

.PHONY: test
test: $(VENV)/.tests node_modules/.installed packages ## Run every test
	@$(PYTEST) $(ARGS)

.PHONY: test-fast
test-fast: $(VENV)/.tests ## Run the tests that start no process of ours, no Ceph, no torch
	@$(PYTEST) -m "$(FAST)" --hypothesis-profile fast $(ARGS)

.PHONY: check
check: $(VENV)/.tests node_modules/.installed ## Lint, types, import arrows, JavaScript, templates
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@node_modules/.bin/tsc --project tsconfig.json
	@node_modules/.bin/biome check
	@$(BIN)/djlint --lint --quiet .
	@$(BIN)/python -m tests.house.loader_size $(LOADER_LIMIT_BYTES)

.PHONY: format
format: $(VENV)/.tests node_modules/.installed ## Format Python, JavaScript and CSS
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@node_modules/.bin/biome check --write

.PHONY: sheets
sheets: $(VENV)/.tests ## Draw contact sheets of the preview engine into build/sheets
	@$(BIN)/python -m bench.sheets $(ARGS)

.PHONY: bench-preview
bench-preview: $(VENV)/.tests ## Measure the preview engine's seconds and memory
	@$(BIN)/python -m bench.preview $(ARGS)

.PHONY: bench-decoding
bench-decoding: $(VENV)/.tests ## Measure what decoding in confined processes costs
	@$(BIN)/python -m bench.decoding $(ARGS)

.PHONY: bench-overhead
bench-overhead: $(VENV)/.tests ## Measure what the road costs beyond engine and store
	@$(BIN)/python -m bench.overhead $(ARGS)

.PHONY: bench-strangers
bench-strangers: $(VENV)/.tests ## Measure what floods of one hostile site cost honest shoppers
	@$(BIN)/python -m bench.strangers $(ARGS)

.PHONY: bench-queue
bench-queue: $(VENV)/.tests ## Measure the queue itself beside RQ's own workers
	@$(BIN)/python -m bench.queue $(ARGS)

.PHONY: bench-eta
bench-eta: $(VENV)/.tests ## Measure how true the waiting time is that shoppers are told
	@$(BIN)/python -m bench.eta $(ARGS)

.PHONY: bench-scheduling
bench-scheduling: $(VENV)/.tests ## Measure slots, lanes and tiers under load, in real time
	@$(BIN)/python -m bench.scheduling $(ARGS)

.PHONY: bench-autoscale
bench-autoscale: $(VENV)/.tests ## Replay a day with a sale and draw its figure
	@$(BIN)/python -m bench.autoscale $(ARGS)

.PHONY: bench-engine
bench-engine: $(VENV)/.tests ## Measure CatVTON's speed; ARGS=--full on a GPU
	@$(BIN)/python -m bench.engine $(ARGS)

.PHONY: bench-switches
bench-switches: $(VENV)/.tests ## Measure what each of CatVTON's switches gains
	@$(BIN)/python -m bench.engine.switches $(ARGS)

.PHONY: bench-tiers
bench-tiers: $(VENV)/.tests ## Measure how far each quality rung is from 50 steps
	@$(BIN)/python -m bench.engine.tiers $(ARGS)

.PHONY: packages
packages: ## Install the system packages that the tests need (root), or name what is missing
	@.ci/packages

.PHONY: clean
clean: ## Remove what was built or installed here; the demo's data stays
	@rm -rf -- $(VENV) node_modules build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf -- {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
		|| { echo "make: $(PYTHON) is not Python 3.11 or 3.12; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "make: python3-venv is missing: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.base: requirements.txt constraints.txt | $(BIN)/python
	@echo "make: installing requirements.txt into $(VENV)" >&2
	@$(PIP) install -r requirements.txt >&2
	@touch $@

$(VENV)/.tests: tests/requirements.txt gpu_worker/requirements.txt $(VENV)/.base
	@echo "make: installing tests/requirements.txt into $(VENV)" >&2
	@$(PIP) install -r tests/requirements.txt >&2
	@touch $@

node_modules/.installed: package-lock.json .npmrc $(VENV)/.tests
	@echo "make: installing package.json into node_modules" >&2
	@npm install --no-save --no-progress --loglevel=error >&2
	@touch $@
