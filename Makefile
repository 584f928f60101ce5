# `make help` lists all targets.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3.11
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
SOURCES := bundle cli contracts controller datastore hack kube model-server monitor tests training-job

.PHONY: help
help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: .venv/.dev ## Install everything development needs into .venv

.PHONY: demo
demo: .venv/.local ## Load a data set, train, gate, serve, predict, label, and show live accuracy
	rm -rf .taxon/local
	$(BIN)/taxon local run manifests/samples/breast-cancer-dataset.yaml --data manifests/samples/breast-cancer.csv

# Write bytecode: without it every test process spends most of its time compiling its imports.
.PHONY: test
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/.dev ## Run every test that needs no cluster, with coverage
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-report=term

.PHONY: images
images: .venv/.build ## Build the image of every deployable and print its size
	$(BIN)/python -m hack.cluster.images

.PHONY: charts
charts: .venv/.build ## Lint Taxon's chart and package it into .taxon/charts
	$(BIN)/python -m hack.tools
	.taxon/bin/helm lint --strict charts/taxon
	.taxon/bin/helm package charts/taxon --destination .taxon/charts

.PHONY: charts-stack
charts-stack: charts ## The same for the umbrella chart, with its dependencies
	.taxon/bin/helm dependency update charts/taxon-stack
	.taxon/bin/helm lint --strict charts/taxon-stack
	.taxon/bin/helm package charts/taxon-stack --destination .taxon/charts

.PHONY: test-cluster
test-cluster: .venv/.dev ## Run the tests that need the cluster of `make cluster`
	$(BIN)/pytest tests/cluster

.PHONY: check
check: .venv/.dev ## Check format, lint, types, import rules and generated files
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m hack.generate
	git diff --exit-code -- manifests/crds charts/taxon/templates/crd.yaml charts/taxon/dashboards docs/conditions.md docs/resource.md docs/schema.md

.PHONY: format
format: .venv/.dev ## Format the code and fix what the linter can fix
	$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	$(BIN)/ruff format $(SOURCES)

.PHONY: cluster
cluster: .venv/.local ## Create a Kubernetes cluster on this machine (PROVIDER=kind|local)
	@compgen -G '.taxon/images/*.tar' >/dev/null || $(MAKE) images
	$(BIN)/python -m hack.cluster up

.PHONY: cluster-status
cluster-status: .venv/.local ## Show the cluster's components and whether they work
	$(BIN)/python -m hack.cluster status

.PHONY: cluster-down
cluster-down: .venv/.local ## Remove the cluster and everything it changed on this machine
	$(BIN)/python -m hack.cluster down

.PHONY: bench
bench: .venv/.dev ## Measure training, one call and the server on loopback
	$(BIN)/python -m hack.bench

.PHONY: bench-controller
bench-controller: .venv/.dev ## Measure the controller with 100 and 1,000 models
	$(BIN)/python -m hack.bench_controller

.PHONY: generate
generate: .venv/.dev ## Write the generated files: CRD, reference pages, dashboards
	$(BIN)/python -m hack.generate

.PHONY: lock
lock: .venv/.build ## Resolve the dependencies once and export them per extra
	$(BIN)/python -m hack.lock

.PHONY: clean
clean: ## Remove the virtual environment and .taxon, unless there is a cluster
	@test ! -e .taxon/cluster || { echo 'There is a cluster: run `make cluster-down` first.' >&2; exit 1; }
	rm -rf .venv .taxon

.venv/.build: requirements/build.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.local: .venv/.build requirements/local.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/local.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.local requirements/dev.txt
	$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@
