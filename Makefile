# What there is to do here: `make` lists it. Everything runs in .venv, which is made when it is missing.

VENV := .venv
BIN := $(VENV)/bin

# The first Python that is new enough and can make a virtual environment. `make PYTHON=...` names another.
IS_USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c '$(IS_USABLE)' 2>/dev/null && echo $$python && break; done)

LISTEN ?= 127.0.0.1:8080

# Twice quiet, since the build backend has much to say about every editable installation.
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
LOCK := CUSTOM_COMPILE_COMMAND="make constraints" $(BIN)/pip-compile --quiet --allow-unsafe --generate-hashes \
	--strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-config

# Tools that only these two need.
HUNT := $(PIP) install --require-hashes --requirement constraints-dev.txt --requirement constraints-hunt.txt

.DEFAULT_GOAL := help
.PHONY: help run check test lint unit all-tests services bench gates containers chaos chaos-gate soak soak-gate fuzz mutants format translations pictures docs site sbom constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.runtime ## Try Latchkey on this machine, with a demo account: http://127.0.0.1:8080
	$(BIN)/latchkey up --demo --listen $(LISTEN)

check: lint unit ## Format, lint, types, layers and the tests that need no server: less than a minute

test: lint services all-tests ## Everything: the checks, PostgreSQL, RabbitMQ, nginx, node and Chromium installed where possible, all tests

lint: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.ready
	$(BIN)/pytest -n auto -m "not services and not browser" tests/unit tests/contract tests/completeness

# A file at a time, so that tests that cannot run beside each other share a file: xdist_group, the mark meant
# for it, does nothing with pytest 9.2 (pytest-xdist issue 1386). Three at a time: most of them wait for servers. In the
# order of their folders, so that the short ones of tests/unit come last and fill what time the long ones leave.
all-tests: $(VENV)/.ready services
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=25 -m "not gate and not containers"

services: ## Install PostgreSQL, PgBouncer, RabbitMQ, Chromium, a font, nginx, node and systemd's tools for the tests, where they are missing and apt-get may
	@tests/services/install.sh postgresql pgbouncer rabbitmq chromium font nginx node systemd prometheus

format: $(VENV)/.ready ## Put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.ready ## Measure Latchkey beside bare aiohttp and its peers, into bench/results: less than fifteen minutes
	@tests/services/install.sh postgresql rabbitmq node
	$(BIN)/python -m bench

# BROKER=4 tries the same on RabbitMQ 4, which comes in a folder of its own where the distribution has an older one.
BROKER ?= 3
gates: $(VENV)/.ready services ## The tests that are too long for `make test`
	$(BIN)/pytest -m gate

containers: $(VENV)/.ready ## Build our image, and run deploy/compose.yaml and the Helm chart's pods in containers that really run: ten minutes the first time, needs root
	@tests/services/install.sh podman debootstrap kubectl
	tests/containers/engine.sh
	$(BIN)/pytest -m containers tests/containers

chaos: $(VENV)/.ready ## Break the whole system on purpose in every way we know: half an hour; writes docs/failure-matrix.md
	@tests/services/install.sh postgresql pgbouncer rabbitmq faketime
	@test $(BROKER) = 3 || tests/services/rabbit4.sh install
	@mkdir -p test-artifacts && rm -f test-artifacts/chaos.json
	$(BIN)/python -m tests.chaos --broker $(BROKER) --json test-artifacts/chaos.json \
		--matrix $(if $(filter 3,$(BROKER)),docs,test-artifacts)/failure-matrix.md

chaos-gate: $(VENV)/.ready ## The part of it that every change has to pass: less than eight minutes
	@tests/services/install.sh postgresql rabbitmq
	$(BIN)/python -m tests.chaos --gate

soak: $(VENV)/.ready ## Replace all keys, restart everything again and again for ten minutes, then run for twenty, under load: no call may fail
	@tests/services/install.sh postgresql rabbitmq nginx
	$(BIN)/python -m tests.soak

soak-gate: $(VENV)/.ready ## The same for so long as every change can wait: some two minutes
	@tests/services/install.sh postgresql rabbitmq nginx
	$(BIN)/python -m tests.soak --restarts 0.2 --steady 0.1 --households 6

fuzz: $(VENV)/.ready ## Fire a million generated and damaged SOAP requests at the gateway's door, then let libFuzzer look at the parser: a quarter of an hour
	$(BIN)/python -m tests.fuzz --count 1000000
	$(HUNT)
	$(BIN)/python -m tests.fuzz.parser --seconds 300

mutants: $(VENV)/.ready ## Change rules, tokens and vocabulary in thousands of small ways, and see that a test notices each: half an hour
	$(HUNT)
	rm -rf mutants
	nice $(BIN)/mutmut run
	$(BIN)/python -m tests.measure.mutants

translations: $(VENV)/.ready ## Bring the catalogues of the pages up to date with the words in templates and code
	$(BIN)/python -m deploy.translations

pictures: $(VENV)/.ready services ## Make the README's pictures of the pages anew
	$(BIN)/pytest -q tests/browser/test_people.py -k readme
	mkdir -p docs/pictures
	for name in link household; do cp test-artifacts/readme-$$name.png docs/pictures/$$name.png; done

docs: $(VENV)/.ready ## Make the reference pages of settings, commands, faults and metrics anew, Grafana's dashboards, and the broker's definitions
	$(BIN)/python -m deploy.reference docs
	$(BIN)/python -m deploy.dashboards deploy/grafana
	$(BIN)/latchkey definitions > deploy/rabbitmq/definitions.json

constraints: $(VENV)/.ready ## Take the newest allowed versions of all packages into constraints*.txt
	$(LOCK) --upgrade --build-deps-for=editable --output-file=constraints.txt pyproject.toml
	$(LOCK) --upgrade --build-deps-for=editable --constraint=constraints.txt --extra=dev --output-file=constraints-dev.txt pyproject.toml
	$(LOCK) --upgrade --output-file=constraints-site.txt docs/site.in

site: $(VENV)-site/.ready ## Make the documentation's pages for the web, in the folder site
	$(VENV)-site/bin/zensical build --config-file zensical.toml --clean

sbom: $(VENV)/.ready ## Write the bill of materials of this version to dist/sbom.json, in the form of CycloneDX
	mkdir -p dist
	$(BIN)/python -m deploy.bill constraints.txt > dist/sbom.json

clean: ## Remove what was built and cached; nobody's data is among it
	rm -rf $(VENV) $(VENV)-site site build dist *.egg-info .*_cache .hypothesis test-artifacts mutants
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps, since trying Latchkey out shall not wait for a browser driver. Whoever has .ready has .runtime too.
$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --require-hashes --requirement constraints.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.ready: pyproject.toml constraints.txt constraints-dev.txt | $(BIN)/python
	$(PIP) install --require-hashes --requirement constraints-dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.runtime $@

$(VENV)-site/.ready: constraints-site.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)-site
	$(VENV)-site/bin/python -m pip --disable-pip-version-check -qq install --require-hashes --requirement constraints-site.txt
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || tests/services/install.sh python
	@$(or $(PYTHON),python3) -c '$(IS_USABLE)' || { echo "Latchkey needs Python 3.11 or later with its venv module; make PYTHON=... names one" >&2; exit 1; }
	$(or $(PYTHON),python3) -m venv $(VENV)
