# make book   builds the book at _build/html/        make test   runs everything CI runs
WINDOWS := $(filter Windows_NT,$(OS))
PYTHON ?= $(if $(WINDOWS),python,python3)
JOBS ?= 2
PORT ?= 8000
BIN := .venv/$(if $(WINDOWS),Scripts,bin)
# two notebooks or test files at a time, one thread each, beat one at a time with two threads
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
SOURCES := $(shell find book si_tutorial tests/equations _static _ext _config.yml _toc.yml genindex.md \
	-type f -not -path '*/__pycache__/*' -not -path '*/.*')

# the longest notebook first, one handed out at a time, so that no process waits long for the other
LONG := book/catastrophic_forgetting.ipynb book/synaptic_intelligence.ipynb book/split_mnist.ipynb \
	book/permuted_mnist.ipynb book/cifar.ipynb book/your_own_network.ipynb
NOTEBOOKS := $(LONG) $(filter-out $(LONG),$(wildcard book/*.ipynb))
# with the time that each took
NBMAKE := --nbmake --nbmake-timeout=900 --maxschedchunk=1 --durations=0

# a copy of what the pages are made from, in which they are built without being executed again
define copy
rm -rf $(1)
mkdir -p $(1)
tar cf - --exclude=__pycache__ --exclude=.ipynb_checkpoints book tests/equations _static _ext _toc.yml genindex.md | tar xf - -C $(1)
sed 's/execute_notebooks: force/execute_notebooks: "off"/' _config.yml > $(1)/_config.yml
endef

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book test notebooks unit pages draft pdf links colab address picture serve lab lint types data data-cifar bench bench-cifar costs times memory newest audit clean FORCE

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

book: _build/html/.complete  ## execute the notebooks and build the book at _build/html/
	@echo "The book: _build/html/index.html"

test: lint types unit pages  ## everything CI runs: lint, types, unit tests, notebooks, the built pages

notebooks: .venv/.complete  ## execute every notebook, without building the pages
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(JOBS) $(NBMAKE) $(NOTEBOOKS)

unit: .venv/.complete  ## the package's tests and the equations' tests
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(JOBS) -m "not built"

pages: book  ## the tests of the built book, in headless Chromium where there is one
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(JOBS) -m built

draft: .venv/.complete  ## the pages without executing anything, to look at a changed sentence
	$(call copy,build/draft)
	$(BIN)/jupyter-book build build/draft --quiet > build/draft.log 2>&1 || { cat build/draft.log; false; }
	@echo "The draft: build/draft/_build/html/book/index.html"

pdf: book  ## print the book into _build/html/synaptic-intelligence.pdf, and link it from the pages
	$(BIN)/python tools/pdf.py

links: .venv/.complete  ## ask every other host that the pages link to (needs a network)
	$(call copy,build/links)
	$(BIN)/jupyter-book build build/links --builder linkcheck --quiet

# on Colab much is there already; here the first cell has to bring everything
colab:  ## install with the cell for Colab, from the address in it, into .venv-colab
	$(PYTHON) -m venv --clear .venv-colab
	$(BIN:.venv/%=.venv-colab/%)/python -m pip install --quiet --disable-pip-version-check ipython
	$(BIN:.venv/%=.venv-colab/%)/python tools/colab.py

address: .venv/.complete  ## after a change of the address in _config.yml: write it into what needs it
	$(BIN)/python tools/address.py $(URL)

picture: .venv/.complete  ## README's picture, from the published results
	$(BIN)/python tools/readme_picture.py

serve: book  ## read the book at http://localhost:8000 (or PORT=...)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lab: .venv/.complete  ## open the notebooks in JupyterLab
	$(BIN)/python -m jupyterlab book

lint: .venv/.complete  ## ruff over the code and the notebooks
	$(BIN)/ruff check .

types: .venv/.complete  ## mypy over the public interface
	$(BIN)/python -m mypy

data: .venv/.complete  ## fetch MNIST (again, if it failed)
	$(BIN)/python -m si_tutorial data mnist

data-cifar: .venv/.complete  ## fetch CIFAR-10 and CIFAR-100 (340 MB), for one chapter's own run and pictures
	$(BIN)/python -m si_tutorial data cifar10 cifar100

bench: .venv/.complete  ## the price of SI, as ratios (installs Avalanche into .venv-peers)
	$(BIN)/python benchmarks/split_mnist.py

bench-cifar: .venv/.complete  ## speed of a step on CIFAR, as ratios
	$(BIN)/python benchmarks/cifar.py

# a quarter of an hour; what other processes do meanwhile matters little
costs: .venv/.complete  ## measure what the page “What it costs” shows, on this machine
	mkdir -p build
	rm -f build/benchmarks.jsonl
	$(ONE_THREAD) $(BIN)/python benchmarks/costs.py --to build/benchmarks.jsonl
	$(ONE_THREAD) $(BIN)/python benchmarks/fisher.py --to build/benchmarks.jsonl
	$(ONE_THREAD) $(BIN)/python benchmarks/split_mnist.py --to build/benchmarks.jsonl
	mv build/benchmarks.jsonl si_tutorial/results/benchmarks.jsonl

times: book  ## keep how long each notebook took, for the page on reproducibility
	$(ONE_THREAD) $(BIN)/python tools/times.py build/times.xml $(JOBS)

memory: .venv/.complete  ## execute every notebook and tell its peak memory (Binder has 2 GB)
	$(ONE_THREAD) $(BIN)/python tools/memory.py $(NOTEBOOKS)

# the book's tools stay: Jupyter Book 2 is another program, and the themes are chosen to fit
newest:  ## tests and notebooks with the newest versions of what they need, in .venv-newest
	mkdir -p build
	sed -E '/^(jupyter-book|sphinx|pydata)/!s/[=<>].*//' requirements.txt > build/newest.txt
	$(PYTHON) -m venv --clear .venv-newest
	$(BIN:.venv/%=.venv-newest/%)/python -m pip install --quiet --disable-pip-version-check -r build/newest.txt -e .
	$(MAKE) -o .venv/.complete BIN=$(BIN:.venv/%=.venv-newest/%) data unit notebooks

# pip-audit lies apart, so that what it needs is no part of what it looks at
audit: .venv/.complete  ## known vulnerabilities of the packages that the book is built with
	$(PYTHON) -m venv .venv-audit
	$(BIN:.venv/%=.venv-audit/%)/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.9"
	$(BIN:.venv/%=.venv-audit/%)/python -m pip_audit --skip-editable --path \
		"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

clean:  ## remove what was built (not .venv, not the data)
	rm -rf _build build dist

.venv/.complete: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	touch $@

# the data is fetched once; where that fails, the pages say that they show the subset
_build/.data: | .venv/.complete
	mkdir -p _build
	-$(BIN)/python -m si_tutorial data mnist
	touch $@

# what the pages depend on besides the sources: the data that is there, and the versions
_build/state: FORCE .venv/.complete | _build/.data
	@{ $(BIN)/python -m si_tutorial data; $(BIN)/python -m pip freeze --exclude-editable; } > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# execute once, in a copy, and build the pages from what was executed
_build/html/.complete: $(SOURCES) _build/state
	rm -rf _build/html
	$(call copy,build/executed)
	cd build/executed && SI_TUTORIAL_OFFLINE=1 $(ONE_THREAD) ../../$(BIN)/python -m pytest -q \
		-c /dev/null --rootdir . -n $(JOBS) $(NBMAKE) --junitxml=../times.xml --overwrite $(NOTEBOOKS)
	$(BIN)/jupyter-book build build/executed --path-output . --all -W --keep-going --quiet
	touch $@
