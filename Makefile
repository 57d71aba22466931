# Commands for a newcomer: `make demo`, `make test`, `make docs`. They work inside .venv only.

PYTHON ?= python3
BIN := .venv/bin
BANDIT = $(BIN)/bandit --quiet --configfile pyproject.toml --recursive vo_lib scripts extensions workflow docs/generate

.DEFAULT_GOAL := help
.PHONY: help setup demo test slurm docs lint audit fuzz clean lock

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready  ## create .venv with the pinned versions

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; select one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) cannot create a virtual environment; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@echo "Installing the pinned versions into .venv (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## run the demo: a simulated survey of about 100 sources, without a network
	@PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores 2
	@echo "Report of the demo: $${VO_DATA:-$(CURDIR)/results}/DEMO_PROJECT/report.html"
	@echo "To use the commands vo and snakemake: source .venv/bin/activate"

test: setup  ## run the whole test suite
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -n auto --dist loadfile

docs: setup  ## build the documentation into site/, which needs no network; open site/index.html
	@PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet --clean
	@echo "Documentation: $(CURDIR)/site/index.html"

slurm: setup  ## install the executors and test them on a cluster of two nodes (root, slurm-wlm, slurm-wlm-torque, munge)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable ".[slurm]"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "snakemake-executor-plugin-cluster-generic>=1,<2"
	@PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest tests/cluster

lint: setup  ## check style: ruff, Bandit, snakefmt, docstrings, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BANDIT)
	$(BIN)/snakefmt --check workflow
	$(BIN)/python -m numpydoc.hooks.validate_docstrings $$(git ls-files 'vo_lib/*.py' 'scripts/*.py' 'extensions/*.py')
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --lint

audit: setup  ## look for security issues: Bandit in the code, pip-audit in all installed packages (needs pypi.org)
	$(BANDIT)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable ".[audit]"
	$(BIN)/pip-audit --strict --skip-editable --progress-spinner off

fuzz: setup  ## look for input that ends in a traceback, with hypothesis and atheris; takes long (Linux)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable ".[fuzz]"
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -n auto tests/fuzz --hypothesis-profile=fuzz
	$(BIN)/python -W ignore tests/fuzz/atheris_readers.py answers -runs=500000
	$(BIN)/python -W ignore tests/fuzz/atheris_readers.py catalogs -runs=20000

lock: setup  ## update requirements.lock from the versions in .venv
	@$(BIN)/python -m pip freeze --all --exclude-editable | grep -v -i -E '^pip=' > requirements.lock

clean:  ## remove .venv, the products of the demo and the built documentation
	rm -rf .venv results site
