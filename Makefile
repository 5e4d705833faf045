# `make help` lists the targets. `make train` and `make test` set up all they need on a fresh Debian or
# Ubuntu machine with Python 3.11; containers/setup says how.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help train serve test test-fast lint format bench image lock clean

# Parameters of the project, as `mlflow run . -P name=value` and `sixfold train --name value` have them.
# On make's command line they are written in upper case: make train DATA=data/churn.csv TARGET=churned
PARAMETERS := data target task algorithms budget search folds metric test_size group time register seed \
  max_memory na_values schema
upper = $(shell echo '$(1)' | tr a-z A-Z)
# Only what stands on the command line counts: TIME or GROUP may well be in somebody's environment.
is_given = $(filter command,$(origin $(call upper,$(1))))
quoted = '$(subst ','\'',$($(call upper,$(1))))'
mlflow_parameters = $(foreach p,$(PARAMETERS),$(if $(call is_given,$(p)),-P $(p)=$(call quoted,$(p))))
sixfold_options = $(foreach p,$(filter-out data,$(PARAMETERS)),$(if $(call is_given,$(p)),--$(p) $(call quoted,$(p))))

CONTAINER ?= docker
# What `make serve` registers and serves, and where.
SERVED := $(if $(call is_given,register),$(call quoted,register),breast-cancer)
PORT ?= 8080
TESTS ?= tests
# Tests that start nothing outside their own process.
FAST := not (docker or services or browser or cluster or slow)
SHELL_SCRIPTS := containers/setup containers/base-image .ci/run

export MLFLOW_DISABLE_TELEMETRY ?= true

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Parameters of make train: $(foreach p,$(PARAMETERS),$(call upper,$(p))), ARGS (further options), CONTAINER=none"

train: ## set everything up, then train: make train DATA=data/churn.csv TARGET=churned BUDGET=300
ifeq ($(CONTAINER),none)
	@containers/setup environment
	@.venv/bin/sixfold train $(if $(call is_given,data),$(call quoted,data)) $(sixfold_options) $(ARGS)
else
	@containers/setup environment engine base image
	@.venv/bin/mlflow run . $(mlflow_parameters) $(ARGS)
endif

serve: ## train, promote, build and serve: make serve DATA=… TARGET=… REGISTER=churn PORT=8080 PROMOTE_ARGS=--allow-dirty
	@containers/setup environment engine base image
	@.venv/bin/mlflow run . $(mlflow_parameters) $(if $(call is_given,register),,-P register=$(SERVED)) $(ARGS)
	@.venv/bin/sixfold promote $(SERVED) $(PROMOTE_ARGS)
	@.venv/bin/sixfold serve $(SERVED) --port $(PORT)

# One process for all that uses the container engine, in order, one for the rest (tests/lanes.py).
test: ## set everything up, then run every test (TESTS=tests/training runs some)
	@containers/setup environment engine base image test-tools
	@.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS) $(ARGS)

# A file to a process, in order: a package's tests share a store, which is the current one until the end.
test-fast: ## run the tests that need no container, server or browser
	@containers/setup environment
	@.venv/bin/python -m pytest -n logical --dist loadfile --no-loadscope-reorder -m "$(FAST)" $(TESTS) $(ARGS)

lint: ## ruff, mypy and shellcheck
	@containers/setup environment
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/shellcheck $(SHELL_SCRIPTS)
	@echo "lint: clean"

format: ## put the code into its form
	@containers/setup environment
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

bench: ## measure overhead, tracking, promotion, serving and scaling (benchmarks/README.md)
	@containers/setup environment engine base image
	@.venv/bin/python -m benchmarks $(ARGS)

image: ## build the training image, if its inputs have changed
	@containers/setup engine base image

lock: ## write the locks anew from pyproject.toml (UPGRADE=--upgrade takes the newest versions)
	@containers/setup environment
	@write() { \
	  UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/uv pip compile --quiet --python-version 3.11 \
	    --python-platform linux --generate-hashes --no-emit-index-url --no-emit-find-links $(UPGRADE) "$$@"; \
	}; \
	write pyproject.toml -o requirements.lock; \
	write pyproject.toml --extra dev --extra serving --extra kubernetes --group server --group traces --group recording \
	  -c requirements.lock -o requirements-dev.lock; \
	write --group server -c requirements-dev.lock -o requirements-server.lock; \
	write --group traces -c requirements-dev.lock --no-emit-package protobuf -o requirements-traces.lock; \
	write --group recording -c requirements-dev.lock --no-emit-package typing-extensions -o requirements-recording.lock

clean: ## remove .venv, our images and caches; never runs, models or data
	@containers/setup clean
