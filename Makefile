# Everything here works from a fresh clone with Python 3.11 or newer, make, and a package index in reach.
# The Python that .venv was made with stays the one, unless another is named.
PYTHON ?= $(shell .venv/bin/python -c 'import venv' 2>/dev/null && echo .venv/bin/python || echo python3)
WORKERS ?= 3
EACH_S ?= 60

BIN := .venv/bin
PURE := access dispatch health liveness log people protocol requests screen site strangers web
TOO_OLD := "Turnstile needs Python 3.11 or newer; " + sys.executable + " is " + sys.version.split()[0] + \
	". Name another one: make PYTHON=/path/to/python3.12"
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(LOCKFLAGS)
BENCHMARKS = $(filter-out fuzz_guided,$(basename $(notdir $(shell grep -l '^if __name__' benchmarks/*.py))))

.DEFAULT_GOAL := help
.PHONY: help setup environment development demo test coverage check format bench fuzz lock clean distclean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: environment ## make .venv with what running needs and fetch the sample faces; a second run installs nothing
	@$(BIN)/python -m turnstile.commands.demo.samples
	@$(BIN)/python -m turnstile.vision.opencv

environment:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit($(TOO_OLD))'
	@$(PYTHON) tools/setup.py

development: environment ## add what checks, tests and benchmarks need to .venv
	@$(PYTHON) tools/setup.py --development

demo: setup ## five programs and pages in a browser, real faces, about 90 seconds
	@$(BIN)/turnstile demo

test: setup development ## run all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

coverage: setup development ## run the tests of the pure rooms; fail when they leave more lines out than pyproject.toml allows
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term $(PURE:%=tests/%) $(ARGS)

check: development ## formatting, lint and types
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

format: development ## format the code and sort its imports
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/ruff format .

bench: setup development ## run every benchmark with short settings; CLIPS=, PORTRAITS=, LFW= and LIVE= are folders some of them need
	@set -e; for name in $(BENCHMARKS); do \
		case $$name in \
			accuracy|activations) need="$(LFW)" with="--lfw $(LFW)" what=LFW;; \
			people|picture_quality) need="$(LFW)" with="$(LFW)" what=LFW;; \
			liveness) need="$(LIVE)" with="$(LIVE)" what=LIVE;; \
			engine) need="$(CLIPS)" with="$(CLIPS)" what=CLIPS;; \
			recall) need="$(PORTRAITS)" with="$(PORTRAITS)" what=PORTRAITS;; \
			visits) need="$(and $(CLIPS),$(PORTRAITS))" with="--clips $(CLIPS) --portraits $(PORTRAITS)" \
				what="CLIPS and PORTRAITS";; \
			*) need=nothing with= what=;; \
		esac; \
		if [ -n "$$need" ]; then \
			echo "== $$name"; $(BIN)/python -m benchmarks.$$name $$with --quick; \
		else echo "== $$name is left out: it needs $$what=FOLDER"; fi; \
	done

fuzz: setup development ## fuzz every decoder for EACH_S seconds, guided by coverage; installs atheris, which is large
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m benchmarks.fuzz_guided --seconds $(EACH_S)

lock: development ## pin everything anew; LOCKFLAGS=--upgrade takes the newest versions
	@$(LOCK) --override requirements/overrides.txt --output-file requirements/dev.txt requirements/dev.in
	@$(LOCK) --override requirements/overrides.txt --constraint requirements/dev.txt \
		--output-file requirements/runtime.txt requirements/runtime.in
	@$(LOCK) --constraint requirements/dev.txt --output-file requirements/build.txt requirements/build.in
	@$(LOCK) --output-file requirements/fuzz.txt requirements/fuzz.in

clean: ## remove caches
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist *.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove caches and .venv
	@rm -rf .venv
