# What the commands do is in scripts; this file names them.

.DEFAULT_GOAL := help
.PHONY: help demo shell test peers kernels campaign check docs bench fuzz clean

help:
	@echo 'make demo    boot a Linux guest with Apus, see what it sees, power it off'
	@echo 'make shell   boot a Linux guest and use its shell'
	@echo 'make test    run the tests, natively and on arm64 KVM'
	@echo 'make peers   run the long tests with others: Slurm, kselftests, kunit.py, labgrid, virtme-ng'
	@echo 'make kernels  freeze a guest on each of four kernels, and thaw it on each of them'
	@echo 'make campaign  more of make test: all cases, all suites on arm64, the fuzz targets: before a release'
	@echo 'make check   format, lint, rules of the house, build with warnings as errors, documentation'
	@echo 'make docs    make the documentation of the libraries, with DocC'
	@echo 'make bench   measure, and compare with a peer and with the recorded figures'
	@echo 'make fuzz    fuzz every parser for a minute each (SECONDS=N for N seconds)'
	@echo 'make clean   remove what was built in this folder (the cache stays)'

demo:
	@Guests/Setup/demo

shell:
	@Guests/Setup/demo shell

test:
	@Guests/Setup/test-all

peers:
	@Guests/Setup/test-peers

kernels:
	@Tests/Snapshots/matrix

campaign:
	@Guests/Setup/test-all campaign

check:
	@Guests/Setup/check

docs:
	@Guests/Setup/docs

bench:
	@Benchmarks/run

fuzz:
	@Guests/Setup/setup native
	@Tests/Fuzz/run $(or $(SECONDS),60)

clean:
	rm -rf .build .build-*
