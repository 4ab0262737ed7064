# The tasks of the project. `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo-results
PHOTOS := examples/photos

.PHONY: demo test browser test-long test-lowest check docs clean help

help: ## Show the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/'

demo: .venv/.installed ## Index the example photos, query them in all ways, and save the pictures
	@rm -rf $(DEMO)
	$(BIN)/clipdex build $(PHOTOS)
	$(BIN)/clipdex query $(PHOTOS) --text "a dog" -k 8 -o $(DEMO)/text
	$(BIN)/clipdex query $(PHOTOS) --image $(PHOTOS)/animals/chelsea-the-cat.jpg -k 8 -o $(DEMO)/image
	$(BIN)/clipdex query $(PHOTOS) --text train --image $(PHOTOS)/places/pagoda.jpg --item plants/dahlia -k 12 -o $(DEMO)/mixed
	@echo
	@echo "Look at the pictures:"
	@ls $(DEMO)/*/sheet.png
	@echo
	@echo "Look at them in your browser, and search there:"
	@echo "    $(BIN)/clipdex view $(PHOTOS)"

test: .venv/.installed-dev browser ## Run all tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-long: .venv/.installed-dev browser ## Run all tests with many more cases and models in full size, before a release
	CLIPDEX_TESTS=long $(BIN)/python -m pytest --numprocesses auto --dist worksteal

# The tests of the page need a browser. Without one they are skipped and say so, unless CLIPDEX_BROWSER=required is set.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium, in which the page is tested."; \
	    apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium >/dev/null; \
	  else echo "There is no Chromium, so the tests of the page in a browser are skipped."; fi; \
	} || [ -z "$(filter required,$(CLIPDEX_BROWSER))" ]

test-lowest: .venv-lowest/.installed ## Run the tests that need no extra, with the lowest versions of what clipdex needs
	.venv-lowest/bin/python -m pytest --numprocesses auto --dist worksteal

check: .venv/.installed-check ## Lint, formatting, types, imports between rooms, generated docs, and the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/make_cli_reference.py --check
	@# Not --quiet: MkDocs counts only the warnings that it prints.
	@site=$$(mktemp -d) && { $(BIN)/mkdocs build --strict --site-dir $$site; status=$$?; rm -rf $$site; exit $$status; }

docs: .venv/.installed-check ## Write the reference of the command line, and build the documentation into site/
	$(BIN)/python tools/make_cli_reference.py
	$(BIN)/mkdocs build --strict
	@echo "Open site/index.html. Its search box needs a server: $(BIN)/python -m http.server --directory site"

clean: ## Delete what the tasks made
	rm -rf .venv .venv-lowest $(DEMO) site $(PHOTOS)/.clipdex .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --no-compile: only what is imported is compiled, when it is first imported; so Python has to be allowed to keep that. The newest pip resolves much faster than the
# one that comes with Python.
unexport PYTHONDONTWRITEBYTECODE
PIP := -m pip install --quiet --disable-pip-version-check --no-compile

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("clipdex needs Python 3.11 or newer; name one with PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) --upgrade pip

.venv/.installed: .venv/bin/python pyproject.toml
	@echo "Installing clipdex and what it needs into .venv; this takes a minute or two."
	$(BIN)/python $(PIP) --editable .
	@touch $@

.venv/.installed-dev: .venv/bin/python pyproject.toml
	@echo "Installing clipdex and what its tests need into .venv; this takes a minute or two."
	$(BIN)/python $(PIP) --editable '.[dev]'
	@touch $@ .venv/.installed

.venv/.installed-check: .venv/bin/python pyproject.toml
	$(BIN)/python $(PIP) --editable '.[check]'
	@touch $@ .venv/.installed

.venv-lowest/.installed: pyproject.toml tools/lowest_versions.py
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python tools/lowest_versions.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python $(PIP) --editable '.[test]' --constraint .venv-lowest/constraints.txt
	@touch $@
