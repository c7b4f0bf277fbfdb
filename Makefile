# `make demo` and `make test` set up what they need; a second call installs nothing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
MIN_PYTHON := $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'thexp_pl needs Python 3.10 or newer; name one with PYTHON=...')"
# most tests wait for a process of their own: two at a time, as on the smallest machine
PYTEST_FLAGS := -n 2 --dist worksteal
# those processes write no bytecode (see tests/conftest.py), and need not compile each for itself
COMPILED := -m compileall -q thexp_pl
PYTEST := $(BIN)/python $(COMPILED) && $(BIN)/python -m pytest $(PYTEST_FLAGS)

.PHONY: demo test lint test-long test-lowest test-dist bench clean

demo: $(VENV)/.installed
	$(BIN)/thexp-pl fit --optim.lr=0.01

test: $(VENV)/.installed-dev lint
	$(PYTEST) -m "not slow"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# with the fuzzing of queries, manifests, zips and config files at length
test-long: $(VENV)/.installed-dev
	export THEXP_PL_FUZZ=2000; $(PYTEST)

# the suite on the lowest versions that pyproject.toml allows, in an environment of its own
test-lowest:
	$(MIN_PYTHON)
	test -d .venv-lowest || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip --disable-pip-version-check install --quiet \
		-c constraints-lowest.txt -e ".[test]"
	.venv-lowest/bin/python $(COMPILED)
	.venv-lowest/bin/python -m pytest $(PYTEST_FLAGS) -m "not slow"

# wheel and sdist: built, installed into empty environments, and the demo run from each
test-dist: $(VENV)/.installed-dev
	rm -rf dist build
	$(BIN)/python -m build --outdir dist .
	git ls-files thexp_pl | $(BIN)/python -c "import glob, sys, zipfile; \
		held = set(zipfile.ZipFile(*glob.glob('dist/*.whl')).namelist()); \
		left_out = [name for name in sys.stdin.read().split() if name not in held]; \
		sys.exit(f'not in the wheel: {left_out}' if left_out else 0)"
	for file in dist/*.whl dist/*.tar.gz; do \
		rm -rf .venv-dist && $(PYTHON) -m venv .venv-dist && \
		.venv-dist/bin/python -m pip --disable-pip-version-check install --quiet \
			-c constraints.txt $$file && \
		(cd $$(mktemp -d) && $(CURDIR)/.venv-dist/bin/thexp-pl fit --epoch=2) || exit 1; \
	done
	rm -rf .venv-dist

# the peers live in an environment of their own, which also sees the main one's packages
bench: $(VENV)/.installed-dev .venv-bench/.installed .venv-trackers/.installed
	.venv-bench/bin/python -m benchmarks $(NAME)

# $(call peers,ENVIRONMENT,FILE): one by one; the next call tries again what did not install
define peers
all=yes; for peer in $$(grep -v '^#' $(2)); do \
	$(1)/bin/python -m pip --disable-pip-version-check install --quiet -c $(2) "$$peer" || \
		{ echo "$$peer does not install, and is absent from the tables" >&2; all=no; }; \
done; test $$all = no || touch $@
endef

.venv-bench/.installed: benchmarks/peers.txt $(VENV)/.installed-dev
	test -d .venv-bench || $(BIN)/python -m venv .venv-bench
	main=$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))"); \
	own=$$(.venv-bench/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))"); \
	echo "import site; site.addsitedir('$$main')" > $$own/main-environment.pth
	$(call peers,.venv-bench,benchmarks/peers.txt)

.venv-trackers/.installed: benchmarks/trackers.txt
	test -d .venv-trackers || $(PYTHON) -m venv .venv-trackers
	$(call peers,.venv-trackers,benchmarks/trackers.txt)

$(VENV)/bin/python:
	@$(MIN_PYTHON)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e ".[ui]"
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .venv-lowest .venv-dist .venv-bench .venv-trackers build dist *.egg-info
