# `make` lists the targets. Everything lives in .venv; delete it to start over.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python,$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
NODE := tests/sdk/node
# Tests that run at once: most of them wait. One process, to debug in: make test JOBS=0
JOBS := 4
NODE_MODULES := $(if $(shell command -v npm),$(if $(wildcard $(NODE)/package-lock.json),$(NODE)/node_modules/.stamp))

export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help run test check bench lock mutations reliability test-realllm
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/runtime.stamp ## set everything up, then start a gateway with two simulated providers
	@exec $(BIN)/gateway demo $(ARGS)

test: $(VENV)/dev.stamp $(NODE_MODULES) ## set everything up, then run the tests; ARGS="-k name" for some of them
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-realllm: $(VENV)/dev.stamp $(NODE_MODULES) ## the SDKs against a real LLM server (llama.cpp, with a tiny random model)
	test -x .venv-realllm/bin/python || $(PYTHON) -m venv .venv-realllm
	.venv-realllm/bin/python -m pip install --quiet --require-hashes --requirement tests/realllm/requirements.txt
	$(BIN)/python -m pytest tests/realllm --realllm-python .venv-realllm/bin/python $(ARGS)

check: $(VENV)/dev.stamp ## lint, format, types, import contracts, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/test_architecture.py

mutations: $(VENV)/dev.stamp ## switch off each protection in turn, and see that a test turns red; ARGS=NAME for one
	$(BIN)/python -m tests.mutations $(ARGS)

reliability: $(VENV)/dev.stamp ## what takes longer than a test may: outages, slow clients, a soak, into reliability/results; ARGS=--quick
	$(BIN)/python -m reliability $(ARGS)

bench: $(VENV)/bench.stamp ## what the gateway costs beside nginx and a bare proxy, into bench/results; ARGS=--quick
	$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/python.stamp ## write the lock files anew; ARGS=--upgrade takes the newest versions
	$(PIP) install uv==$(UV_VERSION)
	$(COMPILE) --group build --output-file requirements.lock
	$(COMPILE) --group build --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --group bench --constraints requirements.lock --output-file requirements-bench.lock

COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock' $(ARGS)

$(VENV)/python.stamp:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '$(PYTHON) is not Python 3.11 or newer' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# setuptools is in the lock, so that building the project fetches nothing that was not hashed.
$(VENV)/runtime.stamp: requirements.lock pyproject.toml $(VENV)/python.stamp
	$(PIP) install --require-hashes --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

$(VENV)/bench.stamp: requirements-bench.lock $(VENV)/runtime.stamp
	$(PIP) install --require-hashes --requirement requirements-bench.lock
	@touch $@

$(NODE)/node_modules/.stamp: $(NODE)/package.json $(NODE)/package-lock.json
	npm ci --no-audit --no-fund --prefix $(NODE)
	@touch $@
