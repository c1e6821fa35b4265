# The one door: what people and CI run.
#
# The lab that demo, test-root and bench run in needs root; everything else does not.

CARGO ?= cargo
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
RUNNER := CARGO_TARGET_$(shell echo $(HOST) | tr a-z- A-Z_)_RUNNER
export FLOWPORT_EXE := $(CURDIR)/target/debug/flowport

.PHONY: demo test test-unit test-root

test: test-unit test-root

test-unit:
	$(CARGO) test --workspace --exclude flowport-integration

test-root:
	$(CARGO) build --bin flowport
	$(CARGO) test -p flowport-integration --no-run
	env $(RUNNER)="$(FLOWPORT_EXE) lab --" $(CARGO) test -p flowport-integration
