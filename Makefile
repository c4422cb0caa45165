# What a person types. `make` alone lists it.

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-system test-fleet lint-roles simulate storm soak check bench image lock screenshots fmt clean setup setup-dev setup-ops

PYTHON ?=
export PYTHON
ARGS ?=
# Two workers suit two cores; 0 runs the tests in one process.
WORKERS ?= 2
VENV := .venv/bin
# Root for what needs it, and for nothing else: environments made as root could not be renewed by their owner.
AS_ROOT = $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=XDG_CACHE_HOME,XDG_DATA_HOME,http_proxy,https_proxy,no_proxy)
PYTEST := $(VENV)/python -m pytest
CODE := appliance drivers mqtt_bridge image tests $(wildcard bench)

help: ## list these
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 18

demo: setup ## two venues, their cloud and a page to play with; ARGS="--venues 3 --data ./box"
	@exec $(VENV)/python -m appliance.cli demo $(ARGS)

test: setup-dev ## the fast suite; ARGS="tests/drivers -k printer" for a part, WORKERS=0 for one process
	$(PYTEST) -n $(WORKERS) --dist loadfile $(ARGS)

test-slow: setup-dev ## long kill cycles, byte and request budgets in the browser
	$(PYTEST) -m slow -n $(WORKERS) --dist loadgroup --timeout 600 $(ARGS)

test-system: setup-dev ## image, board, radios, fleet and real devices, booted (root, QEMU, mmdebstrap); ARGS="power -- --cuts 50" for a part
	@.ci/setup-system guest
	@.ci/setup ops
	$(VENV)/python -m tests.system $(ARGS)

test-fleet: setup-dev setup-ops ## a cloud and three venues, booted and set up by the roles, sell through link cuts (root, systemd-nspawn)
	@.ci/setup-system fleet
	$(VENV)/python -m tests.system fleet -- $(ARGS)

simulate: setup-dev ## storms of faults from seeds, in simulated time; ARGS="--seed 7" tells one, ARGS="--seeds 10000 --jobs 2" runs many
	PYTHONHASHSEED=0 $(VENV)/python -m tests.simulation $(ARGS)

storm: setup-dev ## 500 cycles of kill -9 under booking load; ARGS="--cycles 50 --seed 1"
	$(VENV)/python -m tests.flows.storm $(ARGS)

soak: setup-dev ## twenty minutes of steady load, nothing may grow; ARGS="--minutes 5"
	$(VENV)/python -m tests.flows.soak $(ARGS)

check: setup-dev ## ruff, mypy strict, import contracts, documentation
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy $(CODE)
	$(VENV)/lint-imports --no-logo
	$(PYTEST) -n 0 -q tests/docs

lint-roles: setup-ops ## ansible-lint, profile production, over ansible/
	cd ansible && PATH="$(CURDIR)/.ops/bin:$$PATH" ansible-lint --offline --strict

bench: setup-dev ## ratios against this machine's own disk, written to docs/benchmarks.md; ARGS=edge for a part
	$(VENV)/python -m bench $(ARGS)

image: setup-dev setup-ops ## what cards are flashed with, and its signed bundle (asks for root; the first time most of an hour); ARGS=--twice compares two builds
	$(AS_ROOT) $(VENV)/python -B -m image build $(ARGS)
	@[ ! -d build ] || $(AS_ROOT) chown -R --reference=. build

lock: setup-dev ## resolve the dependencies anew into the lock files; ARGS=--upgrade takes newer versions
	.ci/lock $(ARGS)

screenshots: setup-dev ## every page in both directions of reading, light and dark, at three widths; ARGS="--quick --only ticket"
	$(VENV)/python -m tests.browser.screenshots $(ARGS)

fmt: setup-dev ## format and repair what ruff can
	$(VENV)/ruff check --fix --quiet . || true
	$(VENV)/ruff format .

clean: ## remove the environment and every cache
	rm -rf .venv .ops .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: ## the environment that `marquee` runs in, at .venv
	@.ci/setup runtime

setup-dev:
	@.ci/setup dev

setup-ops: ## the environment of Ansible, at .ops
	@.ci/setup ops
