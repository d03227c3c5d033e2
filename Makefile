# Two commands do everything, set-up included: `make run` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# One process of the tests on each core, if nothing else is said: make test CORES=1.
CORES ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)

# The quick half: what each room does by itself, but for every layer in every framework, which takes as long again.
QUICK := $(filter-out %/test_layers.py,$(wildcard tests/impls/test_*.py)) $(addprefix tests/,candidates rendering inputs/test_datasets.py inputs/test_networks.py inputs/test_operation_input.py arithmetic/test_enclosure.py arithmetic/test_numbers.py diagnosis/test_patterns.py mutation/test_mutants.py mutation/test_recording.py mutation/test_targets.py)

# Idle threads of NumPy and torch sleep, as they do in the command: there are as many processes as cores already.
test check: export OMP_WAIT_POLICY ?= PASSIVE
test check: export OPENBLAS_THREAD_TIMEOUT ?= 4

.PHONY: help run test check report lint types imports bench soundness clean

help:
	@echo "make run     train in lockstep on iris, write runs/iris.jsonl, print the table"
	@echo "make test    the whole test suite, on every core; CORES=1 for one"
	@echo "make check   the quick half of it, in less than a minute on two cores"
	@echo "make report  the gallery: reports/gallery/index.html, and Markdown tables"
	@echo "make lint types imports    ruff, mypy, the import contract"
	@echo "make bench   the figures"
	@echo "make soundness    correct implementations at random points: none may be called wrong; ENTRIES=1000000000 SEED=1"
	@echo "make clean   remove .venv and the caches; runs stay"

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Cannot set up with $(PYTHON), because Python 3.11 or newer is needed; run make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[all,lint]" -c constraints.txt
	touch $(INSTALLED)

run: $(INSTALLED)
	@mkdir -p runs && rm -f runs/iris.jsonl
	$(BIN)/harness run --output runs/iris.jsonl

test: $(INSTALLED)
	@echo "every test, on $(CORES) cores"
	$(BIN)/python -m pytest -n $(CORES)

check: $(INSTALLED)
	@echo "the quick half of the tests, on $(CORES) cores"
	$(BIN)/python -m pytest -n $(CORES) $(QUICK)

report: $(INSTALLED)
	$(BIN)/python -m reports

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

bench: $(INSTALLED)
	$(BIN)/python -m reports.benchmark

# Nightly: make soundness ENTRIES=1000000000 SEED=$$(date +%j)
ENTRIES ?= 10000000
SEED ?= 0

soundness: $(INSTALLED)
	$(BIN)/python -m reports.soundness --entries $(ENTRIES) --seed $(SEED)
	$(BIN)/python -m reports.soundness --layers --entries $(ENTRIES) --seed $(SEED)
	$(BIN)/python -m reports.soundness --dtypes bfloat16,float16 --entries $(ENTRIES) --seed $(SEED)
	$(BIN)/python -m reports.soundness --dtypes bfloat16,float16 --layers --entries $(ENTRIES) --seed $(SEED)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
