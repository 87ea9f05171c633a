# Two commands: `make demo` runs the whole main job on the demo corpus, `make test` passes the tests.
# Each makes the environment it needs in .venv (Python 3.11 or newer; set PYTHON to choose another).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
TORCH ?= torch==2.13.0

.PHONY: demo test lint clean

demo: $(VENV)/.installed-train
	$(BIN)/glotmill run recipes/demo/demo.yaml

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -n 2 --dist loadfile tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy curation filters tokenizer trainer jobs

$(VENV)/.installed-train: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[train]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-train
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +   # Numba's cache does not see edits of inlined functions
