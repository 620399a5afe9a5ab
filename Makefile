# What there is to do here: `make` lists it. Each target does its own set-up.
SECONDS ?= 60
.DEFAULT_GOAL := help
.PHONY: help run test interop fresh bench fuzz soak lint fmt setup clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: ## build, then let two hosts in network namespaces negotiate and exchange protected traffic
	@scripts/setup --run
	cargo build --locked
	@scripts/run-demo

test: ## all tests: style, lints, unit tests, peers in namespaces, a real kernel in a guest
	@scripts/test

interop: ## write docs/interop.md: all tests with peers, and what they saw
	@scripts/test interop

fresh: ## run and test on a machine that has only Debian's base, make and Rust (in a directory; as root)
	@scripts/fresh-machine

bench: ## benchmarks, those against peers in the same run
	@scripts/bench

fuzz: ## fuzz each target, SECONDS=n in all
	@scripts/fuzz $(SECONDS)

soak: ## two hosts that rekey and exchange traffic for SECONDS=n
	@scripts/setup --test
	cargo build --locked
	SOAK_SECONDS=$(SECONDS) scripts/in-namespaces cargo test --locked -p tests --test soak -- --nocapture

lint: ## formatting, clippy, and what the dependencies may be
	@scripts/test lint

fmt: ## format the sources
	cargo fmt --all

setup: ## install what building, running and testing need
	@scripts/setup --test

clean: ## remove what was built
	cargo clean
