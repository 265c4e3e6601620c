# `make fast` while you work, `make all` before you send a change.
.PHONY: fast all lint bench

fast:
	pytest -m "not slow and not server and not local and not alone"

all: lint
	pytest

lint:
	ruff check .
	ruff format --check .
	codespell
	mypy

bench:
	python -m tests.bench.overhead
	python -m tests.bench.streaming
