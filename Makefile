SHELL := /bin/bash
.DEFAULT_GOAL := help

# What a caller may set. The shell gets each as it was given, and only if it was given: make would
# run a `$(shell ...)` in it, and the shell what is in backticks. Recipes use "$$DATA", not $(DATA).
override SETTINGS := DATA DURATIONS EVENTS FULL PYTHON SHARD SHARDS
override define taken_as_given
ifneq ($(origin $(1)),undefined)
override $(1) := $$(value $(1))
export $(1)
endif
endef
$(foreach name,$(SETTINGS),$(eval $(call taken_as_given,$(name))))

override BIN := .venv/bin
# Where a shell forbids it, each process would compile the project and its tests again.
unexport PYTHONDONTWRITEBYTECODE
# Files in the order of conftest.py, the long ones first; xdist would sort by number of tests.
override PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
# It would look for garbage for two fifths of its time, in parsed SQL that leaves little.
override SQLFLUFF := $(BIN)/python -c \
	"import gc; gc.set_threshold(200_000); from sqlfluff.cli.commands import cli; cli()"
# Which Python sets up: PYTHON, else of the python3 on PATH the first with its optimizations.
# Version managers build theirs without by default, and dbt then takes a quarter more time.
override ABOUT_PYTHON := import ensurepip, sys, sysconfig; \
	options = sysconfig.get_config_var("CONFIG_ARGS") or ""; \
	fast = sys.base_prefix == "/usr" or "--enable-optimizations" in options; \
	print((3, 11) <= sys.version_info[:2] < (3, 14) and ("fast" if fast else "slow"))
override CHOOSE_PYTHON := python=; while read -r found; do \
	case "$$("$$found" -c '$(ABOUT_PYTHON)' 2>/dev/null </dev/null)" in \
		fast) python="$$found"; break;; \
		slow) python="$${python:-$$found}";; \
	esac; done <<<"$${PYTHON-$$(type -ap python3)}"
# The markers of pyproject.toml: what a change needs on its way is without them.
override QUICK := not (benchmarks or browser or kills or slow or spark or warehouse or workspace)

# A misspelled name would be ignored, and generated events would take the place of the data.
override UNKNOWN := $(foreach UNKNOWN,$(.VARIABLES),$(if \
	$(filter command,$(firstword $(origin $(UNKNOWN)))),$(UNKNOWN)))
ifneq ($(strip $(UNKNOWN)),)
$(error $(strip $(UNKNOWN)): no such variable; there are $(SETTINGS))
endif

.PHONY: help run test pytest check quick slow lint lint-aside lint-sql lint-types lint-python lint-spelling bench \
	figures lineage alerts ai-bi verify-published clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 26

run: .venv/runtime ## Load, build, test and document everything: make run [DATA=folder] [EVENTS=1000000] [FULL=1]
	@case "$${FULL-0}" in 0) full=;; 1) full=--full;; \
		*) echo "error: FULL is 1 to rebuild every table, or not set" >&2; exit 2;; esac; \
	$(BIN)/ecommerce run $${DATA+--data="$$DATA"} $${EVENTS+--events="$$EVENTS"} $$full

test: .venv/installed .venv-tools/installed ## Run every check
	@$(MAKE) --no-print-directory --keep-going --jobs pytest lint-aside

# The linters take the tenth of the processors' time that the tests leave idle.
lint-aside: .venv/installed .venv-tools/installed
	@nice -n 19 $(MAKE) --no-print-directory lint

pytest: .venv/installed .venv-tools/installed
	$(PYTEST)

check: .venv/installed .venv-tools/installed ## Run in minutes what most changes can break: lint, types, unit and project tests
	@$(MAKE) --no-print-directory --keep-going --jobs quick lint

quick: .venv/installed .venv-tools/installed
	$(PYTEST) -m "$(QUICK)"

slow: .venv/installed .venv-tools/installed ## Run the tests that `make check` leaves out: make slow [SHARD=1 SHARDS=4]
	$(PYTEST) -m "not ($(QUICK))" $${SHARD+--splits "$$SHARDS" --group "$$SHARD"} $$DURATIONS

lint: .venv/installed .venv-tools/installed ## Check the style of SQL, Python and English
	@# Side by side; each prints as a whole when it ends, and all of them end.
	@$(MAKE) --no-print-directory --keep-going --jobs \
		$(if $(filter output-sync,$(.FEATURES)),--output-sync) \
		lint-sql lint-types lint-python lint-spelling

lint-sql lint-types lint-python lint-spelling: .venv/installed
lint-types: .venv-tools/installed

lint-sql:
	@# The templater opens a database, which must not be the user's.
	home="$$(mktemp -d)" && trap 'rm -r "$$home"' EXIT && \
		ECOMMERCE_HOME="$$home" $(SQLFLUFF) lint models tests analyses
	@# The dashboard's queries are none of dbt's.
	@$(SQLFLUFF) lint --templater raw dashboard/queries

lint-types:
	.venv-tools/bin/mypy

lint-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-spelling:
	$(BIN)/typos

bench: .venv/installed ## Measure speed and memory, write docs/benchmarks.md: make bench [EVENTS=110000000]
	@$(BIN)/ecommerce bench $${EVENTS+--events="$$EVENTS"}

figures: .venv/runtime ## Print how long the models are and how many macros they use
	@$(BIN)/python -m project.figures

lineage: .venv/runtime .venv-tools/installed ## Read from the SQL where each column comes from, for the dictionary
	@$(BIN)/python -m dictionary.colibri

alerts: .venv/installed ## Compile the queries of the alerts into resources/alert_queries.yml
	@$(BIN)/python -m workspace.alerts

ai-bi: .venv/runtime ## Write the AI/BI dashboard and the Genie space of the bundle from their definitions
	@$(BIN)/python -m workspace.ai_bi

verify-published: .venv/runtime ## Compare a build of the full Kaggle files with published totals
	@$(BIN)/ecommerce verify-published

clean: .venv/runtime ## Remove what `make run` made
	@# dbt writes these two here when it is called by hand.
	@$(BIN)/ecommerce clean
	@rm -rf target logs

# What a local run needs. The checks need more, which the next rule adds to the same folder.
.venv/runtime: requirements.txt pyproject.toml
	@$(CHOOSE_PYTHON); test -n "$$python" \
		|| { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ..." >&2; exit 1; }; \
	echo "$$python -m venv .venv"; "$$python" -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The linters, the tests and the Databricks adapter as well.
.venv/installed: requirements-dev.txt .venv/runtime
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.txt
	@# Where there is Java: an archive of Spark's classes, whose loading is half of a short job.
	-@$(BIN)/python -c "import sys; sys.path.insert(0, 'tests'); \
		from support.auto_loader_runs import class_data, java; java() and class_data()"
	@touch $@

# Programs whose pins conflict with ours. The stand-in for a Databricks workspace needs another
# DuckDB; mypy 2, twice as fast as mypy 1, needs a newer pathspec than dbt admits; colibri reads
# twice as many columns with the one version of sqlglot that we tried it with.
.venv-tools/installed: requirements-tools.txt | .venv/runtime
	$(BIN)/python -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --require-hashes --requirement $<
	@touch $@
