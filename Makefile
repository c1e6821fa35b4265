# The one door: what people and CI run. `make help` lists it.
#
# The lab that demo, test-root and bench run in needs root; everything else does not. As another user make asks sudo
# for just that, and cargo stays yours.

CARGO ?= cargo
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# The same selection wherever it can be: another one has other features, and cargo builds everything again.
UNIT := --workspace --exclude flowport-integration
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
RUNNER := CARGO_TARGET_$(shell echo $(HOST) | tr a-z- A-Z_)_RUNNER
# With sudo only what the tests read of the environment is kept.
KEPT := FLOWPORT_EXE,SOAK_MINUTES,SOAK_SEED,CARGO_MANIFEST_DIR,RUST_BACKTRACE,RUST_LOG
AS_ROOT := $(if $(SUDO),sudo --preserve-env=$(KEPT))
export FLOWPORT_EXE := $(CURDIR)/target/debug/flowport

.PHONY: help demo deps test test-unit test-root conformance soak bench bench-ports bench-scale bench-healing bench-openflow
.PHONY: bench-ovsdb fuzz test-kernel
.PHONY: deb deps-deb test-deb lint gates generate can-be-root

help:
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 14

demo: can-be-root deps ## the main job in a private lab on this machine; installs what is missing and says so
	$(CARGO) build --release --bin flowport
	$(SUDO) $(CURDIR)/target/release/flowport demo

test: can-be-root deps test-unit test-root ## the tests, but for conformance, soak, test-deb and test-kernel

deps: ## install what demo and tests need (Debian, Ubuntu); starts no service
	@.ci/deps

test-unit: ## tests that need no root: pure functions, and private Open vSwitch processes
	$(CARGO) test $(UNIT) --no-fail-fast

test-root: can-be-root ## tests with namespaces, containers and packets, in a private lab
	$(CARGO) build --bin flowport
	$(CARGO) test -p flowport-integration --no-run
	env $(RUNNER)="$(AS_ROOT) $(FLOWPORT_EXE) lab --" $(CARGO) test -p flowport-integration --no-fail-fast

# As any user. The tests come from Debian's package openvswitch-source, once, and stay below target/.
conformance: deps ## Open vSwitch's own tests of OVSDB clients, run against ours
	@.ci/deps 'python3 python3' 'openssl openssl'
	$(CARGO) build -p flowport-ovsdb-conformance
	ovsdb/conformance/run target/debug/flowport-ovsdb-conformance

# SOAK_MINUTES=10 long; SOAK_SEED=N throws the dice of another run again.
soak: can-be-root deps ## minutes in which parts die at random, and all has to be as it was asked for
	$(CARGO) build --bin flowport
	$(CARGO) test -p flowport-integration --test soak --no-run
	env $(RUNNER)="$(AS_ROOT) $(FLOWPORT_EXE) lab --" $(CARGO) test -p flowport-integration --test soak -- --ignored --nocapture

# BENCH_ARGS=--markdown prints the tables for a document.
bench: bench-ports bench-scale bench-healing bench-openflow bench-ovsdb ## the figures, beside ovs-docker and other libraries in the same run

# Only the stopwatch is built without optimisation.
bench-ports: export FLOWPORT_EXE := $(CURDIR)/target/release/flowport
bench-ports: can-be-root deps
	$(CARGO) build --release --bin flowport
	$(CARGO) bench -p flowport-integration --bench ports --profile dev --no-run
	env $(RUNNER)="$(AS_ROOT) $(FLOWPORT_EXE) lab --" $(CARGO) bench -p flowport-integration --bench ports --profile dev -- $(BENCH_ARGS)

# Here both sides are optimised: the sessions that install flow entries are within the stopwatch.
bench-scale: export FLOWPORT_EXE := $(CURDIR)/target/release/flowport
bench-scale: can-be-root deps
	$(CARGO) build --release --bin flowport
	$(CARGO) bench --bench plan -- $(BENCH_ARGS)
	$(CARGO) bench -p flowport-integration --bench ports --no-run
	env $(RUNNER)="$(AS_ROOT) $(FLOWPORT_EXE) lab --" $(CARGO) bench -p flowport-integration --bench ports -- --scale $(BENCH_ARGS)
	env $(RUNNER)="$(AS_ROOT) $(FLOWPORT_EXE) lab --" $(CARGO) bench -p flowport-integration --bench ports -- --crowd $(BENCH_ARGS)

# A host with 50 containers whose parts are killed one after the other, and all at once.
bench-healing: export FLOWPORT_EXE := $(CURDIR)/target/release/flowport
bench-healing: can-be-root deps
	$(CARGO) build --release --bin flowport
	$(CARGO) bench -p flowport-integration --bench ports --profile dev --no-run
	env $(RUNNER)="$(AS_ROOT) $(FLOWPORT_EXE) lab --" $(CARGO) bench -p flowport-integration --bench ports --profile dev -- --healing $(BENCH_ARGS)

# ovsdb-server on this machine with 50,000 ports, beside python-ovs, ovs-vsctl and rovs-ovsdb.
bench-ovsdb: deps
	cd peers && $(CARGO) bench --bench ovsdb -- $(BENCH_ARGS)

OS_KEN := $(CURDIR)/target/os-ken
bench-openflow: $(OS_KEN)/installed
	$(CARGO) bench -p flowport-openflow --bench codec --bench session -- --quiet --warm-up-time 0.5 --measurement-time 2
	OS_KEN=$(OS_KEN)/bin/python $(CARGO) bench --manifest-path peers/Cargo.toml --bench openflow -- $(BENCH_ARGS)

# A peer of Python's, which may be missing: the table then has a dash there.
$(OS_KEN)/installed:
	-python3 -m venv $(OS_KEN) && $(OS_KEN)/bin/pip install -q --disable-pip-version-check os-ken==4.2.2 && touch $@

# What is found goes to fuzz/artifacts, what is learnt stays in target. A stable toolchain will do.
FUZZ_SECONDS ?= 600
FUZZ := RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/target/cargo-fuzz/bin:$$PATH" $(CARGO) fuzz
fuzz: target/cargo-fuzz/bin/cargo-fuzz ## each fuzz target for FUZZ_SECONDS (600)
	@set -e; for crate in openflow ovsdb; do \
	  [ -d $$crate/fuzz ] || continue; \
	  for target in $$($(FUZZ) list --fuzz-dir $$crate/fuzz); do \
	    mkdir -p target/fuzz/$$crate/$$target; \
	    $(FUZZ) run --fuzz-dir $$crate/fuzz --sanitizer none $$target target/fuzz/$$crate/$$target $$crate/fuzz/corpus/$$target \
	      -- -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0; \
	  done; \
	done

target/cargo-fuzz/bin/cargo-fuzz:
	$(CARGO) install cargo-fuzz --locked --root target/cargo-fuzz

# On the kernel datapath, in a virtual machine: slow, needs no root, downloads Debian's kernel and QEMU once.
test-kernel: ## the main job on the kernel datapath, in a virtual machine
	$(CARGO) build --release --bin flowport
	integration/kernel/run target/release/flowport

deb: deps-deb ## a Debian package, in target/deb: program, unit, manual pages, completions
	$(CARGO) build --release --bin flowport
	dist/build-deb target/release/flowport target/deb

test-deb: can-be-root deps deps-deb ## install, use, upgrade, remove and purge it on a copy of this machine booted by systemd
	$(CARGO) build --bin flowport
	dist/build-deb target/debug/flowport target/deb-debug
	$(SUDO) dist/test-deb target/deb-debug/flowport_*.deb

deps-deb:
	@.ci/deps "dpkg-buildpackage dpkg-dev" "dh debhelper" "lintian lintian" "man man-db" "systemd-analyze systemd" "pgrep procps"

lint: ## format, clippy, documentation: no warning
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy -p flowport-ovsdb --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --all-features --document-private-items

gates: ## what crates and modules may know, sizes of files, paths that documents name
	$(CARGO) test $(UNIT) --test gates

generate: ## write the tables of the OVSDB schemas anew
	UPDATE=1 $(CARGO) test -p flowport-ovsdb-schema
	$(CARGO) fmt -p flowport-ovsdb-schema

can-be-root:
	@[ -z "$(SUDO)" ] || command -v sudo >/dev/null || \
	  { echo "the lab of demo and test-root needs root: run make as root, or install sudo; make test-unit works without" >&2; exit 1; }
