# `make demo` and `make test` need nothing but Python >= 3.10: each makes .venv once and keeps it.
# Where no ROS wheels exist (not Linux x86_64): make test EXTRAS=dev

PYTHON ?= python3
EXTRAS ?= ros,dev
VENV := .venv
STAMP := $(VENV)/installed-$(EXTRAS)
RUN := $(VENV)/bin

.PHONY: demo test lint bench install clean
.DEFAULT_GOAL := demo

install: $(STAMP)

$(STAMP): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.10 is needed; choose one: make PYTHON=python3.11" if sys.version_info < (3, 10) else 0)'
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: $(STAMP)
	$(RUN)/airside demo

test: $(STAMP)
	$(RUN)/python -m pytest

lint: $(STAMP)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/mypy benchmarks/*.py

bench: $(STAMP)
	$(RUN)/airside bench

clean:
	rm -rf $(VENV) build install log out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
