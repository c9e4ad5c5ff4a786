# Each target does its own set-up: on a fresh Debian 12, Debian 13 or Ubuntu 24.04 it needs only git, make, python3 and root.

# What it takes to build and run sockhop, to show it, and to test it on other people's programs.
PACKAGES := python3-venv libbpf1 clang
DEMO_PACKAGES := redis-server redis-tools socat netcat-openbsd
# The distribution's package of CPython's own tests is named for its interpreter.
PYTHON_TESTS := libpython$(shell /usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-testsuite?
TEST_PACKAGES := $(DEMO_PACKAGES) nginx haproxy postgresql memcached curl wrk \
	nghttp2-client nghttp2-server chromium? \
	nftables iptables iproute2 procps gcc libc6-dev bpftool? golang-go golang-src $(PYTHON_TESTS)

# Tests that want all CPUs for themselves, or count on being the only ones.
ALONE := tests/stress tests/suites tests/programs/test_stalls.py tests/bench/test_verb.py
# A test run that takes longer is interrupted as by Ctrl-C, so that the tests still put away what they made.
LIMITED := timeout --foreground --signal=INT --kill-after=60 900

# What boots other kernels, and reaches into their files.
VM_PACKAGES := qemu-system-x86 busybox-static cpio kmod

# A selection may leave one of the two runs without a test.
NONE_IS_FINE = $(if $(PYTEST_ARGS),|| test $$? = 5)

BIN := .venv/bin
DATAPLANE := src/sockhop/dataplane
OBJECT := $(DATAPLANE)/sockhop.bpf.o
RATIOS := docs/ratios.json
PYTHON_CODE := src tests hatch_build.py

.DEFAULT_GOAL := help
.PHONY: help install demo test suites vmtest lint bench bench-check bench-ratios bench-docs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

install: ## set up: system packages, and sockhop with its tools in .venv
	@scripts/packages.sh $(PACKAGES)
	@scripts/venv.sh
	@$(MAKE) -s $(OBJECT)

demo: install ## a real client and server, before and after
	@scripts/packages.sh $(DEMO_PACKAGES)
	@$(BIN)/sockhop demo

test: install ## everything that must hold: lint, types, arrows, tests
	@scripts/packages.sh $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory lint
	@test "$$(id -u)" = 0 || { echo "sockhop: tests load BPF programs and must be run by root;" \
		"those of tests/unit need none: $(BIN)/pytest tests/unit" >&2; exit 1; }
	$(LIMITED) $(BIN)/pytest --numprocesses 2 --dist worksteal $(addprefix --ignore=,$(ALONE)) $(PYTEST_ARGS) $(NONE_IS_FINE)
	$(LIMITED) $(BIN)/pytest $(PYTEST_ARGS) $(ALONE) $(NONE_IS_FINE)

suites: install ## the network tests of CPython and of Go as a whole, on plain TCP and hopped: ten minutes
	@scripts/packages.sh $(TEST_PACKAGES)
	SOCKHOP_SUITES=all $(BIN)/pytest -rP tests/suites $(PYTEST_ARGS)

vmtest: install ## the same on Debian's kernels in virtual machines, 20 minutes each (KERNEL=6.12, COMMAND='uname -a')
	@scripts/packages.sh $(TEST_PACKAGES) $(VM_PACKAGES)
	@$(BIN)/python -m tests.vm $(KERNEL) $(if $(COMMAND),--command="$$COMMAND") $(if $(PYTEST_ARGS),--pytest-args="$$PYTEST_ARGS")

lint: install ## style, types, import directions
	$(BIN)/ruff check $(PYTHON_CODE)
	$(BIN)/ruff format --check $(PYTHON_CODE)
	$(BIN)/mypy $(PYTHON_CODE)
	$(BIN)/lint-imports --no-logo

bench: install ## the benchmarks, side by side in one run (BENCH_ARGS are passed on)
	@scripts/packages.sh $(TEST_PACKAGES)
	@$(BIN)/sockhop bench $(BENCH_ARGS)

bench-check: install ## a quick run of them must not be surely worse than the ratios stored here
	@scripts/packages.sh $(TEST_PACKAGES)
	@$(BIN)/sockhop bench --quick --against $(RATIOS)

bench-ratios: install ## store the ratios of a quick run for bench-check, with nothing else running
	@scripts/packages.sh $(TEST_PACKAGES)
	@$(BIN)/sockhop bench --quick --save-ratios $(RATIOS)

bench-docs: install ## all benchmarks, for half an hour; their results go into docs/benchmarks.md and build
	@scripts/packages.sh $(TEST_PACKAGES)
	@mkdir -p build
	$(BIN)/sockhop bench --json --html build/bench.html > build/bench.new || test $$? = 1
	@mv build/bench.new build/bench.json
	$(BIN)/sockhop bench --from build/bench.json --markdown > build/bench.md || test $$? = 1
	@sed -i -e '/^<!-- results/,/^<!-- end/{/^<!--/!d}' -e '/^<!-- results/r build/bench.md' docs/benchmarks.md

clean: ## remove all that was made here
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache __pycache__ $(OBJECT)
	find $(filter-out %.py,$(PYTHON_CODE)) -name __pycache__ -type d -prune -exec rm -rf {} +

# Installing compiles it too; this is for a change of the C afterwards.
$(OBJECT): $(wildcard $(DATAPLANE)/*.[ch]) $(DATAPLANE)/build.py
	$(BIN)/python $(DATAPLANE)/build.py
