# SPDX-License-Identifier: BSD-2-Clause
# Needs Python 3.12 or newer, make and git; all else is installed into .venv and .nox.

PYTHON ?= python3
NOX = .venv/bin/nox --reuse-existing-virtualenvs

# pyenv hides the interpreters that are not its default: show them all to the test sessions.
ifneq ($(shell command -v pyenv),)
export PYENV_VERSION := $(shell pyenv versions --bare | grep '^3' | sort -rV | paste -sd: -)
endif

.PHONY: help demo test test-all molecule proof mutants lint format bench dist clean gates matrix coverage audit docs release plugin sdk

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

demo: .venv/demo ## Provision tokens on an embedded server, twice, and show what happened
	@.venv/bin/python -m tools.demo

test: .venv/ready ## Run the tests that a change needs; the first time, the Pulumi engine is built
	@mkdir -p .build && (nice .venv/bin/python -m tools.engine pulumi >.build/engine.log 2>&1 &)
	@$(NOX) --session left_out -- test
	@$(NOX) --tags test

test-all: .venv/ready ## Run the rest: Kubernetes, other versions of Ansible and Pulumi, molecule, packages, benchmark
	@$(NOX) --session left_out -- lint test test-all
	@$(NOX) --tags test-all

molecule: .venv/ready ## Run the molecule scenarios: each store against its real server or program
	$(NOX) --session molecule

proof: .venv/ready ## Try to lose a token, or to let an intruder in: make proof ONLY=crash
	$(NOX) --session proof -- $(ONLY)

mutants: .venv/ready ## Change the code in small ways, and see whether the unit tests notice
	$(NOX) --session mutants

lint: .venv/ready ## Check style, types and metadata
	$(NOX) --tags lint

gates: .venv/ready ## Check what Galaxy, Automation Hub and PyPI ask for
	$(NOX) --tags gates

matrix: .venv/ready ## Test on every Python, ansible-core and SDK; one that is not there fails, by its name
	$(NOX) --tags matrix

coverage: .venv/ready ## Measure branch coverage, subprocesses and modules included, into build/coverage
	$(NOX) --session coverage

audit: .venv/ready ## Look for known faults in what users get with it; needs PyPI's own interface
	$(NOX) --session audit

docs: .venv/ready ## Build the documentation site into build/site, and check its links
	$(NOX) --session docs

release: .venv/ready ## Build and check what is published, into dist; publish nothing
	$(NOX) --stop-on-first-error --session released build-import-check dist

plugin: .venv/ready ## Build the native provider of this system as a program without Python, into dist
	$(NOX) --session plugin

sdk: .venv/ready ## Generate the SDKs for Node, Python, Go and .NET from the schema into build/sdk, and compile them
	$(NOX) --session sdk

format: .venv/ready ## Write the code in the project's format
	$(NOX) --session format

bench: .venv/ready ## Measure time and memory against what people do today: make bench REPEAT=5 ONLY=ansible
	$(NOX) --session bench -- $(if $(REPEAT),--repeat $(REPEAT)) $(if $(ONLY),--only $(ONLY))

dist: .venv/ready ## Build what is published into dist; run the examples with it in clean environments
	$(NOX) --session dist

clean: ## Remove all that these commands made
	rm -rf .venv .nox .build build dist

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12) and "Python 3.12 or newer is needed: make PYTHON=python3.13 demo")'
	@echo "Installing what the commands need into .venv ..."
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@.venv/bin/uv pip install --quiet --python .venv --group dev
	@touch $@

.venv/demo: .venv/ready
	@echo "Installing what the demo shows into .venv ..."
	@.venv/bin/uv pip install --quiet --python .venv --group demo
	@.venv/bin/uv pip install --quiet --python .venv --no-deps --editable .
	@touch $@
