# GNU make 3.81 and a POSIX shell are enough. What needs an environment prepares it first (.ci/environment), in .venv;
# that speaks on standard error, so that `make demo ARGS="--exit --json" | ...` passes on the demo's own output only.

PYTHON ?=
ARGS ?=
ONLY ?=
JSON ?=
CI ?=

# Bytecode is kept, away from the sources: else every process compiles all that it imports, seconds each time.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX = $(CURDIR)/.venv/bytecode

# One more than there are processors: tests wait for disks and for processes that they start.
workers = $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1))
# Files in their order: by default those of the fewest tests come last, and some of one test take longest of all.
shared = -n $(workers) --maxprocesses 5 --dist loadfile --no-loadscope-reorder

prepare = PYTHON='$(PYTHON)' sh .ci/environment

.PHONY: help demo year test faults lint format bench docs lock clean

help: ## list the targets (the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  ARGS=... goes to the command; PYTHON=/path/to/python3 names the interpreter (3.11 or newer)."

demo: ## play the real supply chain and show its footprints (ARGS="--exit --json" ends after the run)
	@$(prepare) runtime
	@.venv/bin/packtrace demo $(ARGS)

year: ## play a year of filing: what is filed, refused, sent back and goes stale
	@$(prepare) runtime
	@.venv/bin/python examples/a_year.py

test: ## run the tests (ARGS="tests/signer -k name" picks some; CI=1 adds those that take long)
	@$(prepare) dev
	@CI='$(CI)' .venv/bin/python -m pytest $(shared) -m "not faults$(if $(CI),, and not long)" $(ARGS)

faults: ## fail each durable call, kill backends and servers: minutes (strace, PostgreSQL's wheel)
	@$(prepare) dev
	@.venv/bin/python -m pytest -n auto --maxprocesses 4 -m "faults or not faults" tests/faults $(ARGS)

lint: ## check style, types and the import contracts
	@$(prepare) dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: ## put the code into the one format
	@$(prepare) dev
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

bench: ## measure against reference implementations (ONLY=signer picks a group, JSON=1 prints lines of JSON)
	@$(prepare) dev
	@ONLY='$(ONLY)' JSON='$(JSON)' .venv/bin/python -m benchmarks.run

docs: ## check the links in the documentation and say where it is
	@$(prepare) dev
	@.venv/bin/python -m pytest -q tests/workshop/test_links.py
	@echo "Start with README.md; docs/ holds:"
	@find docs -name '*.md' | sort | sed 's/^/  /'

lock: ## make runtime.lock and dev.lock again (needs uv; ARGS=--upgrade takes newer versions)
	@sh .ci/lock $(ARGS)

clean: ## remove the environment and caches; the demo's data in .packtrace stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks dist build *.egg-info
	@find . -name .git -prune -o -name .packtrace -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -e .packtrace ]; then echo "kept .packtrace, the demo's keys, ledger and database; rm -r .packtrace removes it"; fi
