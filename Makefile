# make demo   sets up, plans the county sample, says where the files are
# make serve  sets up the service, and serves the demo on this machine
# make test   sets up, then checks style, types, layers and runs the tests
# make audit-many   plans 100,000 random services and audits each; make mutants   breaks the rules and the audit on purpose
PYTHON ?= python3
BIN = .venv/bin
AS_OF = 2026-11-01

.PHONY: demo serve service test check tests thorough kills audit-many fuzz machine mutants objections races screenshots lock clean

demo: .venv/ready
	@$(BIN)/kith match data/samples/county --as-of $(AS_OF) --out demo
	@echo
	@echo "Open demo/report.html in a browser. What to try next:"
	@echo "  $(BIN)/kith shortlist data/samples/county C0002 --as-of $(AS_OF)"
	@echo "  $(BIN)/kith explain data/samples/county C0002 V0057 --as-of $(AS_OF)"
	@echo "  $(BIN)/kith check data/samples/messy       every import error and what to do about it"
	@echo "  $(BIN)/kith rules                          every rule with its source"

serve: service
	$(BIN)/kith serve --demo

service: .venv/ready-to-serve

test: .venv/ready-to-test check tests

check: .venv/ready-to-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Databases of tests are made and dropped by the thousand: in memory, where there is room, a tenth of the time of a disk.
MEMORY := $(shell [ "$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}')" -ge 4000000 ] 2>/dev/null && echo /dev/shm)
tests kills fuzz machine objections races: export TMPDIR := $(or $(MEMORY),$(TMPDIR),/tmp)

# Twice as many at a time as there are processors: half of its time a test waits for a browser, a database, a process.
tests: .venv/ready-to-test
	$(BIN)/pytest -n $$((2 * $$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)))

# All 5,000 tiny problems against enumeration, both ways: a minute; the tests take 1,500 of them.
thorough: .venv/ready-to-test
	KITH_TINY_PROBLEMS=5000 $(BIN)/pytest tests/matcher/test_solver.py tests/matcher/test_bounds.py

# Workers, decisions and publications killed at 200 random moments each, and ten services, on both databases.
kills: .venv/ready-to-test
	KITH_KILLS=200 $(BIN)/pytest tests/service/test_kills.py

audit-many: .venv/ready-to-test
	$(BIN)/python scripts/audit_many.py

# Works in the folder mutants/, and goes on where it was stopped. `mutmut results` lists what survived.
mutants: .venv/ready-to-test
	$(BIN)/mutmut run

# A thousand races of each kind on each database – one volunteer, one child, the last place, two siblings – and twenty of
# each over the API: some minutes.
races: .venv/ready-to-test
	KITH_RACES=1000 $(BIN)/pytest tests/service/test_races.py

# Two hundred sequences of whatever may happen to a child's no, on each database: some minutes.
objections: .venv/ready-to-test
	KITH_OBJECTIONS=200 $(BIN)/pytest tests/service/test_objections.py

# A hundred requests of each operation of the API, made up for each role on each database: half an hour.
# KITH_FUZZ_SEED=7 draws others.
fuzz: .venv/ready-to-test
	KITH_FUZZ=100 $(BIN)/pytest -n auto tests/service/test_openapi.py

# Three hundred sequences of whatever people do over months, and after each action what must hold: a quarter of an hour, and
# longer on PostgreSQL; `-k sqlite` leaves that out.
# KITH_MACHINE_SEED=7 draws others; KITH_MACHINE_SHRINK=1 looks for the shortest sequence that shows a fault.
machine: .venv/ready-to-test
	KITH_MACHINE=300 KITH_MACHINE_STEPS=40 $(BIN)/pytest -rP tests/service/test_machine.py

# The lock files hold every package with its hash; --no-deps then adds Kith itself and nothing that is not locked.
.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Kith needs Python 3.11 or newer: make PYTHON=python3.11"'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/ready-to-serve: .venv/ready requirements-service.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-service.txt
	@touch $@

.venv/ready-to-test: .venv/ready requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# Pictures of the pages, for the README: needs Debian's chromium.
screenshots: .venv/ready-to-test
	$(BIN)/python scripts/screenshots.py

# Makes the lock files anew from pyproject.toml.
lock: .venv/ready-to-test
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --python-version 3.11 --upgrade \
	    pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --python-version 3.11 --upgrade \
	    --extra service --extra analysis --extra dev --constraint requirements.txt pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --python-version 3.11 \
	    --extra service --constraint requirements-dev.txt pyproject.toml -o requirements-service.txt

clean:
	rm -rf .venv demo mutants build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
