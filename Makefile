# Sekisho: what a developer runs. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help try test bench lint fuzz clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Installed once, and again whenever what is to be installed has changed.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq python3-venv; \
	  else echo "Python's venv module is missing: install Debian's package python3-venv"; exit 1; fi; }
	@echo "setting up $(VENV) (once) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

# What the tests need besides: linters, a solver, the AWS CLI, a browser, Spark and its Java.
$(VENV)/.tested: $(VENV)/.ready
	@echo "setting up what the tests need (once) ..." >&2
	@$(BIN)/pip install -q -c constraints.txt -e '.[test]'
	@$(BIN)/python tools/aws_cli.py $(VENV)/aws-cli
	@$(BIN)/python tools/sdk_js.py $(VENV)/sdk-js
	@{ command -v rclone && command -v s3cmd; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rclone s3cmd; } >/dev/null 2>&1 || \
	  echo "there are no rclone and s3cmd and they can't be installed here, so the tests with them will be skipped" >&2
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk; } >/dev/null 2>&1 || \
	  echo "there is no chromium and it can't be installed here, so the tests of the console in a browser will be skipped" >&2
	@command -v java >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless; } >/dev/null 2>&1 || \
	  echo "there is no Java and it can't be installed here, so the tests of the trail on Spark will be skipped" >&2
	@touch $@

try: $(VENV)/.ready  ## walk the article's environment on an AWS that runs here
	@$(BIN)/sekisho try examples/article.yaml

test: lint  ## everything that has to hold, in under ten minutes on two cores
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup

lint: $(VENV)/.tested  ## style, types, and that imports point one way
	@$(BIN)/ruff check src tests bench tools
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

bench: $(VENV)/.tested  ## everything measured beside its peers, in one run: ratios and floors
	@$(BIN)/python bench/run.py

fuzz: $(VENV)/.tested  ## the property tests, a hundred times as long; a million pairs of decide and prove; z3 on 2,000 estates; applies broken off in all ways at all calls; ten minutes of every protocol, five of load, fifty kills
	@SEKISHO_EXAMPLES=20000 SEKISHO_PROVE_PAIRS=1000000 SEKISHO_SOLVER_CASES=8000 $(BIN)/python -m pytest -q -n 2 tests/properties tests/oracle tests/proof/test_corpus.py tests/proof/test_findings.py tests/deploy/test_kills.py
	@SEKISHO_FUZZ_S=600 SEKISHO_LOAD_S=300 SEKISHO_KILLS=50 SEKISHO_REQUESTS=10000 SEKISHO_SERVICES=all $(BIN)/python -m pytest -q tests/sandbox/test_fuzz.py tests/sandbox/test_load.py tests/sandbox/test_durable.py tests/sandbox/test_restart.py

clean:  ## remove what make has made
	rm -rf $(VENV) bench/.cache bench/out .mypy_cache .ruff_cache .hypothesis
