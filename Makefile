# Every command that a person or CI runs on Ketscale. `make` alone lists them.
#
# All of them use the release profile: demo, tests, lints, docs and benches share what takes minutes to compile, the HiGHS
# solver and SQLite, and the tests meet the code that ships.

.DEFAULT_GOAL := help
.PHONY: help demo build test test-isa memcheck sanitize miri fuzz check bench bench-peers deps deny check-aarch64 test-aarch64 aarch64-target

# Test binaries run in their crate's folder: to them a relative path would be another place.
ifdef CARGO_TARGET_DIR
override CARGO_TARGET_DIR := $(abspath $(CARGO_TARGET_DIR))
export CARGO_TARGET_DIR
endif

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)

# Each skipped test adds a line here (ketscale-test-support); `make test` prints them at its end.
SKIPPED := $(TARGET)/skipped-tests.txt

# Fuzzing has a build of its own, instrumented so that libFuzzer sees which code an input reaches, with the versions of Cargo.lock. What
# it finds on the way is kept beside it.
FUZZ := $(TARGET)/fuzz
FUZZ_SECONDS ?= 600
FUZZ_COVERAGE := -Cpasses=sancov-module $(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)
FUZZ_LIMITS = -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -artifact_prefix='$(FUZZ)/found-' -print_final_stats=1

# The binary as tests and benches are built: `make build` may build its dependencies with fewer features, and then all of them again.
BINARY := cargo test --release --workspace --no-run --test commands

AARCH64 := aarch64-unknown-linux-gnu

TEST := cargo test --release --workspace --no-fail-fast

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r target purpose; do \
		printf '  make %-14s %s\n' "$$target" "$$purpose"; done

demo: build ## build, plan the example fleet, print the plan and what to do next
	@cargo run --release --quiet -p ketscale -- demo

build: ## build the ketscale binary
	@scripts/deps build
	cargo build --release -p ketscale

test: ## run every test; those that were skipped are listed at the end
	@scripts/deps build test
	@rm -f '$(SKIPPED)'
	@echo '$(TEST)'; $(TEST); status=$$?; \
	if [ -s '$(SKIPPED)' ]; then printf '\nSkipped tests:\n'; LC_ALL=C sort -u '$(SKIPPED)'; \
	elif [ $$status = 0 ]; then printf '\nNo test was skipped.\n'; fi; \
	exit $$status

test-isa: ## run the simulator's tests on each instruction set of this machine (minutes: without vectors they are slow)
	@for isa in scalar $$(grep -o -m1 -w 'avx2' /proc/cpuinfo | head -1) $$(grep -o -m1 -w 'avx512dq' /proc/cpuinfo | head -1 | cut -c1-6); do \
		echo "KETSCALE_TEST_ISA=$$isa cargo test --release -p ketscale-simulator"; \
		KETSCALE_TEST_ISA=$$isa cargo test --release -p ketscale-simulator || exit; done

memcheck: ## run the simulator's unit tests under valgrind, which has no AVX-512 (five minutes)
	@command -v valgrind >/dev/null || { echo 'valgrind is missing' >&2; exit 3; }
	cargo test --release --config "target.'cfg(all())'.runner = 'valgrind --quiet --error-exitcode=1'" \
		-p ketscale-simulator --lib

sanitize: ## run the simulator's tests under AddressSanitizer, overflow checked (ten minutes; needs a nightly toolchain)
	RUSTFLAGS='-Zsanitizer=address -Cdebug-assertions=on -Coverflow-checks=on' cargo +nightly test --release \
		--target "$$(rustc --print host-tuple)" --target-dir '$(TARGET)/sanitize' -p ketscale-simulator --tests

miri: ## interpret the simulator's kernel tests, on the specification only (needs a nightly toolchain with Miri)
	MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p ketscale-simulator --lib -- kernels::

fuzz: ## fuzz the file readers and the simulator, FUZZ_SECONDS=600 each (needs the network for one crate)
	@scripts/deps build
	@mkdir -p '$(FUZZ)/model' '$(FUZZ)/simulator' && cp Cargo.lock fuzz/Cargo.lock
	RUSTFLAGS='$(FUZZ_COVERAGE)' cargo build --release --manifest-path fuzz/Cargo.toml --target-dir '$(FUZZ)' \
		--target "$$(rustc --print host-tuple)"
	'$(FUZZ)'/*/release/model '$(FUZZ)/model' fuzz/seeds -dict=fuzz/model.dict -max_len=4096 $(FUZZ_LIMITS)
	'$(FUZZ)'/*/release/simulator '$(FUZZ)/simulator' -len_control=0 -max_len=1024 $(FUZZ_LIMITS)

check: ## format, lints, docs and scripts, exactly as CI checks them
	@scripts/deps build
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --workspace --no-deps
	scripts/deps_test

bench: ## run the benchmarks; one alone with BENCH=name, some of its cases with ARGS='24 f64'
	@scripts/deps build
	$(if $(filter soak,$(or $(BENCH),soak)),$(BINARY))
	cargo bench --workspace --bench '$(or $(BENCH),*)' $(if $(ARGS),-- $(ARGS))

bench-peers: build ## compare a layer with other simulators (network, Python; about half an hour); ARGS='--qubits 20' for less
	python3 -B benches/peers/compare.py --ketscale '$(TARGET)/release/ketscale' --environment '$(TARGET)/peers' $(ARGS)

deps: ## install what the build and the tests need from the system; asks first on a terminal
	@scripts/deps build test && echo 'Everything that the build needs is here.'

deny: ## check licences, advisories and sources of the dependencies (network; needs cargo-deny)
	@cargo deny --version >/dev/null 2>&1 || { echo 'cargo-deny is missing: cargo install cargo-deny --locked' >&2; exit 3; }
	cargo deny --workspace --locked check

check-aarch64: aarch64-target ## compile-check the simulator for aarch64 (needs that Rust target)
	cargo check --release --locked -p ketscale-simulator --target $(AARCH64)

test-aarch64: aarch64-target ## run the simulator's tests for aarch64 in emulation (needs that target, qemu-user, gcc-aarch64-linux-gnu)
	@command -v aarch64-linux-gnu-gcc >/dev/null || { echo 'The linker is missing: gcc-aarch64-linux-gnu' >&2; exit 3; }
	@emulator=$$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || { echo 'The emulator is missing: qemu-user' >&2; exit 3; }; \
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc; \
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$$emulator -L /usr/aarch64-linux-gnu"; \
	cargo test --release --locked -p ketscale-simulator --target $(AARCH64)

aarch64-target:
	@rustc --print target-libdir --target $(AARCH64) | xargs test -d || \
		{ echo 'The target is missing: rustup target add $(AARCH64)' >&2; exit 3; }
