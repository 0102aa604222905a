# Every target does all the set-up itself.
#     make quick                  what needs no board, no browser and no second by itself
#     make board=qemu_m0 t=alarm  tests/device/test_alarm.py on one board, or on unix, cpython
#     make test                   lint, types and every test
#     make docs                   the pages as a site, in build/docs
PYTHON ?= python3
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE  # without bytecode on disk each process compiles its libraries anew

# One worker more than cores: the demonstration waits for its clock most of the time.
WORKERS := $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder
ifdef t
.DEFAULT_GOAL := one
endif
board ?= unix

.PHONY: demo test quick one lint docs release micropython packages nightly mutants clean

demo: .venv/stamp micropython
	$(BIN)/inlier demo

test: lint micropython packages
	$(PYTEST)

# Who adds a test of more than a second marks it slow.
quick: .venv/stamp micropython
	$(PYTEST) -q -m "not boards and not browser and not slow" --durations=5 --durations-min=1

one: .venv/stamp micropython
	INLIER_NIGHTLY=1 $(BIN)/pytest -q -s "tests/host/test_device.py::test_device[test_$(t)-$(board)]"

lint: .venv/stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, into build/docs; a warning is an error.
docs: .venv/stamp
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo build/docs/index.html

# The wheel, and packages for MicroPython's mip: build/release/mip is what a web server serves.
release: .venv/stamp micropython
	$(BIN)/python -m inlier_boards.deployment.release build/release

nightly: .venv/stamp micropython packages
	INLIER_NIGHTLY=1 $(PYTEST)

# Single faults that the tests don't notice; for a night. modules="counters ticker" looks at those alone.
mutants: .venv/stamp micropython
	MICROPYTHON=$$($(BIN)/python -m inlier_boards.build.micropython | tail -n 1) $(BIN)/python tests/host/mutants.py $(modules)

micropython: .venv/stamp
	@$(BIN)/python -m inlier_boards.build.micropython

# The emulated boards' tools, a broker and a browser, where root can install them; elsewhere their tests are skipped and say
# what to install. One by one: what a distribution lacks does not keep the others away.
packages: .venv/stamp
	@packages="$$($(BIN)/python -m inlier_boards.catalogue) $$($(BIN)/python tests/host/tools_missing.py)"; \
	if test -n "$${packages# }" && test "$$(id -u)" = 0; then \
		apt-get update -q; for package in $$packages; do apt-get install -qy --no-install-recommends "$$package" || true; done; \
	fi

.venv/stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "inlier: Python 3.11 or later is needed; set PYTHON=" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { test "$$(id -u)" = 0 && apt-get install -qy python3-venv; } \
		|| { echo "inlier: Python's venv module is missing: install it with 'apt-get install python3-venv'" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check --no-compile -e '.[train,fleet,keras,boards,pico,live,report,docs,dev]'
	@touch $@

clean:
	rm -rf .venv build out *.egg-info .mypy_cache .pytest_cache .ruff_cache
