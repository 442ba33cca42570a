# demo   see everything at work, from a fresh clone, with one command
# test   everything that must hold before a change goes in
# check  the quick part of it, while working
# bench  the measured aims, as ratios

.PHONY: demo test check bench dashboard

# What the demo and the browser tests run: dev builds quickly, release runs quickly.
PROFILE ?= dev

demo:
	scripts/install.sh demo
	scripts/dashboard.sh build
	cargo run --quiet --profile $(PROFILE) --package api --bin baton -- demo $(ARGS)

test:
	scripts/install.sh test
	scripts/test.sh

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	scripts/nextest.sh --workspace --lib

bench:
	scripts/install.sh demo
	scripts/bench.sh

dashboard:
	scripts/dashboard.sh build
