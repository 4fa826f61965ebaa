# Run "make" for the list of what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PIP_INSTALL := $(PIP) install --require-hashes --only-binary :all:
STYLED := wfexs_like engines staging tests bench scripts container-recipes
JOBS ?= 2
# Where it is set, each of the thousands of commands that tests run would compile all of its modules once more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## show this list
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' Makefile

.PHONY: install
install: $(VENV)/.installed ## make .venv with the pinned packages and the command wfexs-like

# From nothing each time the list changes, so that the environment holds what the list says and nothing else.
$(VENV)/.locked: requirements/runtime.txt
	@scripts/system-packages install
	@python=$$(scripts/find-python); echo "making $(VENV) with $$python"; "$$python" -m venv --clear $(VENV)
	@$(PIP_INSTALL) -r requirements/runtime.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q staging engines wfexs_like
	@touch $@
	@echo "installed $(BIN)/wfexs-like"

$(VENV)/.developed: $(VENV)/.installed requirements/dev.txt
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

# Another program that reads our crates, as a judge from outside; its pins do not fit into our own environment.
.venv-oracle/.installed: requirements/oracle.txt
	@scripts/system-packages install
	@python=$$(scripts/find-python); echo "making .venv-oracle with $$python"; "$$python" -m venv --clear .venv-oracle
	@.venv-oracle/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --only-binary :all: -r requirements/oracle.txt
	@touch $@

.PHONY: demo
demo: install ## take a real variant calling from stage file to two runs and a validated crate
	@scripts/system-packages demo
	@$(BIN)/python scripts/demo.py

.PHONY: test
test: check .venv-oracle/.installed ## run all checks and tests (installs what they need)
	@scripts/system-packages demo nextflow containers images test
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

.PHONY: check
check: $(VENV)/.developed ## run the linters, the type checker, the layer contract, docs links and the wheel's names
	$(BIN)/ruff check $(STYLED)
	$(BIN)/ruff format --check $(STYLED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_links.py
	$(BIN)/python scripts/check_wheel.py

.PHONY: conformance
conformance: $(VENV)/.developed ## run the whole conformance suite of CWL through the real command
	CONFORMANCE=all $(BIN)/python -m pytest -n $(JOBS) tests/flow/test_conformance.py

.PHONY: bench
bench: install ## print the table of speeds beside the bare engines and the machine's limits
	@scripts/system-packages nextflow
	@$(BIN)/python -m bench $(BENCH)

.PHONY: images
images: ## build the images of the examples from Debian packages into images/ (PUSH=HOST:PORT/PREFIX: and push them)
	@scripts/system-packages images
	@container-recipes/build.py word-count variant-calling --into images $(if $(PUSH),--push $(PUSH)) $(if $(PLAIN_HTTP),--plain-http)

.PHONY: build
build: $(VENV)/.developed ## make the wheel in dist/
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist

.PHONY: lock
lock: ## write requirements/*.txt again (UPGRADE=--upgrade: with the newest versions)
	scripts/lock $(UPGRADE)

.PHONY: clean
clean: ## remove what these targets made
	rm -rf $(VENV) .venv-oracle build dist demo-output images *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find wfexs_like engines staging tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} +
