# Training Deep Networks: `make help` lists what there is. Every target installs what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON    ?= python3
WORKSPACE ?= workspace
# One lesson for demo and lab; all of them when it is not given.
LESSON    ?=
LESSONS   := $(or $(LESSON),$(notdir $(patsubst %/,%,$(sort $(wildcard source_notebooks/*/)))))
# Relative, because the course may lie in a folder with a space in its name.
BIN       := .venv/bin
# nbgrader calls `alembic` and `jupyter` by name.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Another environment may be active where make is called; IPython would warn that it is not the one in use.
unexport VIRTUAL_ENV
INSTALLED := .venv/.installed

.PHONY: help
help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "} {printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: install
install: $(INSTALLED)  ## make .venv with the pinned packages (Python >= 3.11)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is older. Try: make install PYTHON=python3.12"; exit 1; }
	@echo "Installing into .venv (about a minute)..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "Python's venv module did not work; on Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

.PHONY: demo
demo: $(INSTALLED)  ## grade a made-up class: tables, gradebook, feedback pages, report (LESSON=... for one lesson)
	@start=$$SECONDS; \
	$(BIN)/autograder release $(LESSON) --workspace "$(WORKSPACE)"; \
	$(BIN)/python -m demo.sample_class $(LESSON) --workspace "$(WORKSPACE)"; \
	: "The class is our own, so where the machine has no sandbox it may run without, and the report says so."; \
	sandbox=$$($(BIN)/python -m autograder.confinement); \
	for lesson in $(LESSONS); do \
	  : "exit code 1: some submissions could not be graded; the class has two of them on purpose"; \
	  $(BIN)/autograder grade $$lesson --workspace "$(WORKSPACE)" $$sandbox || test $$? -eq 1; \
	  $(BIN)/autograder feedback $$lesson --workspace "$(WORKSPACE)"; \
	done; \
	$(BIN)/autograder report $(LESSON) --workspace "$(WORKSPACE)"; \
	echo "make demo took $$((SECONDS - start)) s."

# A copy, made once: what a student writes there is not touched by the next release.
# formgrader is for instructors; on the copy it would only log an error.
.PHONY: lab
lab: $(INSTALLED)  ## open copies of the student releases in JupyterLab (workspace/lab/)
	@for lesson in $(LESSONS); do \
	  test -d "$(WORKSPACE)/release/$$lesson" || $(BIN)/autograder release $$lesson --workspace "$(WORKSPACE)"; \
	  mkdir -p "$(WORKSPACE)/lab"; \
	  test -e "$(WORKSPACE)/lab/$$lesson" || cp -R "$(WORKSPACE)/release/$$lesson" "$(WORKSPACE)/lab/"; \
	done
	$(BIN)/jupyter lab --notebook-dir="$(WORKSPACE)/lab" \
	  --LabApp.default_url=/lab/tree/$(firstword $(LESSONS))/$(firstword $(LESSONS)).ipynb \
	  --ServerApp.jpserver_extensions="nbgrader.server_extensions.formgrader=False" $(LAB_OPTIONS)

.PHONY: formgrader
formgrader: $(INSTALLED)  ## open nbgrader's formgrader on the graded class
	$(BIN)/jupyter lab --LabApp.default_url=/formgrader $(LAB_OPTIONS)

.PHONY: solve
solve: $(INSTALLED)  ## build solutions/ again from source_notebooks/
	$(BIN)/autograder solve

.PHONY: results
results: $(INSTALLED)  ## do the experiments on MNIST and Fashion-MNIST that are not recorded (can be interrupted)
	$(BIN)/python -m course.results

.PHONY: test
test: $(INSTALLED)  ## style, types, unit tests, notebooks
	@start=$$SECONDS; \
	$(BIN)/ruff check .; \
	$(BIN)/ruff format --check .; \
	$(BIN)/mypy; \
	: "worksteal: tests of one exercise stay in one process, which remembers what its mistakes do."; \
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --dist worksteal --durations=25; \
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=300 solutions/; \
	echo "make test took $$((SECONDS - start)) s."

.PHONY: bench
bench: $(INSTALLED)  ## measure the grader beside nbgrader and otter (an hour; --quick: BENCH_OPTIONS=--quick)
	$(BIN)/python -m benchmarks $(BENCH_OPTIONS)

.PHONY: format
format: $(INSTALLED)  ## let ruff format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean:  ## remove .venv and the caches; the workspace stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
