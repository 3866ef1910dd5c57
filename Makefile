# Two commands: `make demo` shows what this does, `make test` shows that it works. Both set everything up.
.PHONY: demo test lint docs

demo: .venv/installed
	.venv/bin/warmer learn digits

test: .venv/installed-dev
	scripts/test

docs: .venv/installed-dev
	scripts/docs

lint: .venv/installed-dev
	scripts/lint

.venv/installed: pyproject.toml constraints.txt
	scripts/install
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt
	scripts/install dev
	touch .venv/installed $@
