# Everything a newcomer needs. `make demo` shows the product, `make test` proves it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= python3
BIN := .venv/bin
# The stack starts without its pages where they cannot be built.
TRY_WEB := "$(MAKE)" --no-print-directory web || echo "the web interface was not built: everything but the pages works"

.PHONY: help demo up down status test prove bench-load lint types web docs features lock

help: ## This list
	@grep -E '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: install ## The whole system on real data: flights out of New York
	@$(TRY_WEB)
	"$(BIN)/etlfabric" demo

up: install ## Start PostgreSQL, Airflow and the metadata service
	@$(TRY_WEB)
	"$(BIN)/etlfabric" up

down: ## Stop all of it
	@if [ -x "$(BIN)/etlfabric" ]; then "$(BIN)/etlfabric" down; fi

status: ## What runs, and where
	@"$(BIN)/etlfabric" status

test: install ## The whole suite, on its own PostgreSQL and Airflow
	@"$(BIN)/python" -m pytest -n 2

# Each proof has a slice of its own in `make test`; these variables make it whole.
PROOFS := ETLFABRIC_KILLS=50 ETLFABRIC_TABLES=20000 ETLFABRIC_CSV_BYTES=1073741824 ETLFABRIC_MERGE_ROUNDS=10 ETLFABRIC_FUZZ=20 \
  ETLFABRIC_ESCAPES=all ETLFABRIC_TAMPERINGS=1000 ETLFABRIC_ROTATIONS=5 ETLFABRIC_GUESSES=10000 \
  ETLFABRIC_EXAMPLES=40 ETLFABRIC_AIRFLOW_SWEEP=1 ETLFABRIC_WALK=1
PROVEN := tests/faults tests/core/sandbox $(addprefix tests/core/transform/, test_escapes.py \
  test_bombs.py test_refused_settings.py) \
  $(addprefix tests/api/, matrix test_large_sources.py test_large_files.py test_openapi_fuzzing.py test_dbt_wall.py \
  test_warehouse_wall.py test_row_level_security.py test_audit_chain.py test_key_rotation.py \
  test_throttle.py test_sessions.py test_sso_attacks.py) $(addprefix tests/e2e/, \
  test_supervisor_kill.py test_key_rotation.py test_airflow_operators.py test_web_files.py test_web_tables.py test_web_many_tables.py)

prove: install ## The long proofs: every kill, every fault, every attack
	@$(PROOFS) "$(BIN)/python" -m pytest $(PROVEN) -s --timeout 3600

bench-load: install ## Loads beside raw COPY and plain dlt (ROWS, ROUNDS, FIGURES; WRITE=1 keeps them)
	@"$(BIN)/python" -m tests.benchmarks.bench_load $(FIGURES)

lint: install ## Style of the Python and web code
	@"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	if command -v npm >/dev/null && [ -d web/node_modules ]; then npm --prefix web run --silent lint; fi

types: install ## Static types of the domain and the service
	@"$(BIN)/mypy"

docs: install ## Reference pages from the registries
	@"$(BIN)/python" -m docs.generate

features: install ## Every promised feature with its tests
	@"$(BIN)/python" tests/feature_report.py

lock: install ## Renew requirements.txt from requirements.in
	@"$(BIN)/uv" pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --generate-hashes requirements.in -o requirements.txt

.PHONY: install
install: .venv/installed

# The lock decides: the environment is renewed when it changes, and only then.
.venv/installed: requirements.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name one with: make PYTHON=/path/to/python3"; exit 1; }
	[ -x "$(BIN)/python" ] || { echo "making the virtual environment"; "$(PYTHON)" -m venv .venv; }
	"$(BIN)/python" -m pip install --quiet --disable-pip-version-check uv
	echo "installing the locked packages (about 1.2 GB on disk)"
	# uv is fast; where it cannot reach the registry (a proxy, other certificates) pip often can.
	export UV_SYSTEM_CERTS=true
	"$(BIN)/uv" pip install --quiet --python "$(BIN)/python" --requirement requirements.txt \
	  || "$(BIN)/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	"$(BIN)/uv" pip install --quiet --python "$(BIN)/python" --no-deps --editable . \
	  || "$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch .venv/installed

# Node is needed only to build the interface; without it everything but the pages works.
web: web/dist/index.html ## Build the web interface, where Node is there

web/dist/index.html: $(shell find web/src web/index.html web/package-lock.json -type f 2>/dev/null | sed 's/ /\\ /g')
	@if ! command -v npm >/dev/null; then echo "Node is not there: the web interface is not built"; exit 0; fi
	[ web/node_modules/.package-lock.json -nt web/package-lock.json ] || npm --prefix web ci --no-audit --no-fund --loglevel error
	npm --prefix web run --silent build -- --logLevel warn
