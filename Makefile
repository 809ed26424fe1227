# Every target first creates the environment (scripts/setup.sh) unless it exists. `make` lists the targets.
ifeq ($(notdir $(CONDA_DEFAULT_ENV)),workbook)
PREFIX := $(CONDA_PREFIX)
else
PREFIX := .venv
endif
PYTHON := $(PREFIX)/bin/python
STAMP := $(PREFIX)/.workbook-setup

.PHONY: help setup walkthrough lab test quick lint audit switches bench notebooks doctor destroy clean lock

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 20

$(STAMP): requirements.lock environment.yml pyproject.toml scripts/setup.sh
	@bash scripts/setup.sh
	@touch $@

setup:  ## create or repair the environment
	@bash scripts/setup.sh
	@touch $(STAMP)

walkthrough: $(STAMP)  ## deploy and show everything: execute every notebook, keep a page of each
	@$(PREFIX)/bin/workbook walkthrough

lab: $(STAMP)  ## open JupyterLab on the first notebook
	@$(PREFIX)/bin/workbook lab

test: $(STAMP)  ## lint, then unit, stack, notebook and browser tests
	@$(PYTHON) scripts/test.py

quick: $(STAMP)  ## the inner loop: lint, the fast unit tests and the cases, in under a minute
	@$(PYTHON) scripts/test.py quick

lint: $(STAMP)  ## ruff, mypy, terraform fmt, shellcheck
	@$(PYTHON) scripts/test.py lint

audit: $(STAMP)  ## a second opinion: checkov on HCL and plan, parliament on every policy, compared with the claims
	@$(PYTHON) -m audit

switches: $(STAMP)  ## every switch of locals.tf, alone and in pairs: half an hour
	@$(PYTHON) -m pytest -p no:nbval -m long --timeout=1200 tests/stack/test_switches.py

bench: $(STAMP)  ## compare the driver with bare Terraform, and the inventory with sequential calls
	@$(PYTHON) -m bench

notebooks: $(STAMP)  ## execute every notebook on an empty account and save it with its outputs
	@$(PYTHON) -m workbook.notebooks.walkthrough --save

doctor: $(STAMP)  ## show what is installed, which target, what is deployed
	@$(PREFIX)/bin/workbook doctor

destroy: $(STAMP)  ## destroy what is deployed
	@$(PREFIX)/bin/workbook destroy

clean:  ## remove everything runs have written, unless something is still deployed
	@if [ -x $(PYTHON) ]; then $(PREFIX)/bin/workbook clean; else echo "Nothing is set up, so nothing was deployed from here."; fi

lock:  ## resolve requirements.lock and environment.yml again
	@bash scripts/lock.sh
