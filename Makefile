# The two commands of the README come first: `make demo` and `make test`. Everything they need is set up on first use.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
UV := .tools/bin/uv
PY := .venv/bin/python
READY := .venv/.ready
SCENARIO ?= bad
ARGS ?=

.PHONY: demo test test-cluster check lint format types floors lock dependencies setup bench bench-judgement chaos clean help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(READY) ## A bad release of a local bookstore, rolled back before your eyes (SCENARIO=bad|crash|blip|paused|dependency)
	@.venv/bin/watchdog demo --scenario $(SCENARIO)

test: $(READY) ## All tests; those of a real control plane when its binaries are there (tests/cluster/binaries/build.sh)
	$(PY) -m pytest --ignore=tests/cluster $(ARGS)
	@$(MAKE) --no-print-directory test-cluster

test-cluster: $(READY) ## The tests on a real Kubernetes control plane, in a network namespace of their own
	@if [ -n "$$WATCHDOG_TEST_REQUIRE" ] || [ -x "$$(bash tests/cluster/binaries/build.sh --where)/kube-apiserver" ]; then \
		$(PY) -m tests.cluster.enter -- $(PY) -m pytest tests/cluster $(ARGS); \
	else \
		echo "tests/cluster skipped: the control plane is not built; run tests/cluster/binaries/build.sh (Go 1.26, about 10 min)"; \
	fi

check: lint types floors dependencies test ## What must be green before a commit

lint: $(READY) ## ruff, rules and format
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

format: $(READY) ## Let ruff write the format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

types: $(READY) ## mypy --strict
	.venv/bin/mypy

floors: $(READY) ## The floors of the house, by import-linter
	.venv/bin/lint-imports

dependencies: $(READY) ## Unused and missing dependencies; the lock is fresh and holds no distribution called watchdog
	.venv/bin/deptry watchdog
	$(UV) lock --check
	$(PY) -m tests.repository.lock

bench: $(READY) ## Print the figures that the documents quote
	$(PY) -m tests.benchmarks

bench-judgement: $(READY) ## The judgement against its families, peers and bounds: 5 minutes; ARGS='--long --results FILE' by hand
	$(PY) -m tests.benchmarks.judgement $(ARGS)

chaos: $(READY) ## Random faults against real processes and a real control plane; ARGS='--runs 1000 --seed S' by hand
	$(PY) -m tests.chaos $(ARGS)

lock: $(UV) ## Write uv.lock anew
	$(UV) lock

setup: $(READY) ## Only set up

$(UV):
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV) sync --quiet --frozen --python $(PYTHON) --compile-bytecode
	@touch $@

clean: ## Remove what setup made
	rm -rf .venv .tools
