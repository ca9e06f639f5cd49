# Every target makes its own environment in .venv when there is none; the system's Python is only
# used to create it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
ONLY ?=
ARGS ?=
# Of the tests; WORKERS=3 on two cores takes a quarter less time, since tests wait half of it.
WORKERS ?= $(shell nproc)

OVER_COMPILED := tests/unit/test_compiled.py tests/unit/activator tests/component/activator/test_http.py \
  tests/component/activator/test_halves.py tests/component/activator/test_streaming.py

.DEFAULT_GOAL := help
.PHONY: help demo test unit fuzz lint format typecheck bench conformance crds chart ui docs site build compiled lock clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Hearth needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "== creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	  $(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m pip install --quiet --target $(VENV)-bootstrap virtualenv && \
	  PYTHONPATH=$(VENV)-bootstrap $(PYTHON) -m virtualenv --quiet $(VENV); rm -rf $(VENV)-bootstrap; \
	  test -x $(BIN)/python; } || \
	  { echo "This Python cannot make virtual environments: on Debian, apt-get install python3-venv"; exit 1; }

$(STAMP): $(BIN)/python pyproject.toml requirements-dev.lock
	@echo "== installing dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH_STAMP): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.lock
	@touch $@

demo: $(STAMP) ## Run the whole tour in a temporary folder, timed
	@$(BIN)/hearth demo $(ARGS)

test: $(STAMP) ## Run the whole test suite (ARGS="-k name" for a part)
	@$(BIN)/python -m pytest tests -n $(WORKERS) --dist loadfile $(ARGS)

unit: $(STAMP) ## Run the unit tests only
	@$(BIN)/python -m pytest tests/unit -n 2 --dist loadfile $(ARGS)

fuzz: $(STAMP) ## Look for long for what nobody has thought of: parsers beside others, serving under faults (ARGS="-k requests" for a part)
	@$(BIN)/python -m pytest tests -m fuzz --timeout=0 --hypothesis-profile=long -p no:cacheprovider $(ARGS)

lint: $(STAMP) ## Check style and the direction of dependencies
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: $(STAMP) ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

typecheck: $(STAMP) ## Check types (mypy, strict), of the tests too
	@$(BIN)/mypy

bench: $(BENCH_STAMP) ## Measure everything (ONLY=coldstart,warm:pinned for some)
	@$(BIN)/python -m tests.bench --only "$(ONLY)"

conformance: $(STAMP) ## Run the black-box suite; ARGS="--kubeconfig FILE" for any cluster
	@$(BIN)/python -m pytest conformance $(ARGS)

crds: $(STAMP) ## Generate crds/ from the models
	@$(BIN)/python -m serving.api.crds crds
	@$(BIN)/python -m serving.api.serverless crds/serverlessservices
	@$(BIN)/python -m eventing.api.crds crds
	@$(BIN)/python -m hearth.keda.api.crds crds/keda
	@$(BIN)/python -m hearth.pipelines.api.crds crds/pipelines

chart: $(STAMP) ## Generate the Helm chart from config/
	@$(BIN)/python -m hearth.install.chart config

ui: ## Build the live page's files from hearth/ui/web/src (needs npm)
	@cd hearth/ui/web && npm ci --silent --ignore-scripts && npm run --silent check && npm run --silent build

docs: $(STAMP) ## Check that docs/ names every command, setting and metric
	@$(BIN)/python -m pytest tests/unit/test_docs.py

site: $(STAMP) ## Build the documentation site into build/site
	@$(BIN)/python -m sphinx -q -W --keep-going -j auto -b html -c docs/site . build/site && echo build/site/docs/index.html

build: $(STAMP) ## Build the wheel, compiled where a C compiler is there
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .
	@ls dist

compiled: $(STAMP) ## Build a compiled wheel and run the tests of what is compiled over it
	@rm -rf build/compiled && mkdir -p build/compiled
	@HEARTH_COMPILE=1 $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w build/compiled .
	@cd build/compiled && ../../$(BIN)/python -m zipfile -e *.whl . && ln -s ../../tests ../../samples ../../pyproject.toml .
	@cd build/compiled && HEARTH_REQUIRE_COMPILED=1 PYTHONPATH="$$PWD" ../../$(BIN)/python -m pytest \
	  -n 2 --dist loadfile $(OVER_COMPILED) $(ARGS)

lock: $(BIN)/python ## Renew the locked dependencies
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --no-header --group dev pyproject.toml -o requirements-dev.lock
	@$(BIN)/uv pip compile --quiet --no-header --group dev --group bench pyproject.toml -o requirements-bench.lock

clean: ## Remove the environment and caches
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
