# The one door: what people and CI run.
#
# The lab that demo, test-root and bench run in needs root; everything else does not.

CARGO ?= cargo
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
RUNNER := CARGO_TARGET_$(shell echo $(HOST) | tr a-z- A-Z_)_RUNNER
export FLOWPORT_EXE := $(CURDIR)/target/debug/flowport

.PHONY: bench demo test test-unit test-root

test: test-unit test-root

test-unit:
	$(CARGO) test --workspace --exclude flowport-integration

test-root:
	$(CARGO) build --bin flowport
	$(CARGO) test -p flowport-integration --no-run
	env $(RUNNER)="$(FLOWPORT_EXE) lab --" $(CARGO) test -p flowport-integration

# Only the stopwatch is built without optimisation. BENCH_ARGS=--markdown prints the table for a document.
bench: export FLOWPORT_EXE := $(CURDIR)/target/release/flowport
bench:
	$(CARGO) build --release --bin flowport
	$(CARGO) bench -p flowport-integration --bench ports --profile dev --no-run
	env $(RUNNER)="$(FLOWPORT_EXE) lab --" $(CARGO) bench -p flowport-integration --bench ports --profile dev -- $(BENCH_ARGS)
