# Needletail's one Makefile: sources are found by folder, nothing is configured first.
#
#   make            builds the programs into $(O)/bin
#   make run        builds and starts an all-in-one cluster (CONF=file for another configuration)
#   make check      installs what is missing, builds and runs every test
#   make bench      measures against the peers that are installed
#   make fuzz       builds the fuzz targets (clang); make tidy: conventions and clang-tidy
#
# SAN=address,undefined builds with sanitizers; CC=clang with clang; O= is the build folder.

SHELL := /bin/bash
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
comma := ,
variant := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
O ?= build/$(variant)
PYTHON ?= /usr/bin/python3

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wformat=2 -Wwrite-strings -Wpointer-arith -Wvla -Wimplicit-fallthrough \
	-Wframe-larger-than=4096 -Werror
ifneq ($(findstring clang,$(CC)),)
WARN += -Wthread-safety -Wno-gnu-statement-expression
else
WARN += -Wno-dangling-pointer
endif

PKGS := libuv openssl zlib jansson libxml-2.0 libarchive
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lleveldb -linih -lisal -lpthread -lm -lrt

# Only the room that calls libvirt is linked with it.
COMPUTE_PKGS := $(if $(wildcard compute/libvirt/*.c),libvirt)
COMPUTE_CFLAGS := $(if $(COMPUTE_PKGS),$(shell pkg-config --cflags $(COMPUTE_PKGS) 2>/dev/null))
COMPUTE_LIBS := $(if $(COMPUTE_PKGS),$(shell pkg-config --libs $(COMPUTE_PKGS) 2>/dev/null))

# llhttp comes as C source in Debian 12's node-llhttp, and as a library later.
ifeq ($(shell pkg-config --exists libllhttp 2>/dev/null && echo yes),yes)
PKG_CFLAGS += $(shell pkg-config --cflags libllhttp)
PKG_LIBS += $(shell pkg-config --libs libllhttp)
LLHTTP_SRC :=
else
PKG_CFLAGS += -I/usr/share/include/llhttp
LLHTTP_SRC := $(wildcard /usr/share/llhttp/*.c)
endif

OPT ?= -O2 -g
HARDEN := -fstack-protector-strong -fstack-clash-protection -fno-common -fno-omit-frame-pointer
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
SANFLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all
endif
CFLAGS_ALL := -std=gnu17 $(OPT) $(WARN) $(HARDEN) $(SANFLAGS) -I. $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
LDFLAGS_ALL := $(SANFLAGS) -rdynamic $(LDFLAGS)

VERSION := 0.1.0

lib_src := $(wildcard lib/*/*.c) $(wildcard lib/task/switch_$(shell uname -m).S)
room_src = $(filter-out $(1)/main.c,$(wildcard $(1)/*.c $(1)/*/*.c $(1)/*/*/*.c))
obj = $(patsubst %,$(O)/%.o,$(basename $(1)))

lib_obj := $(call obj,$(lib_src)) $(patsubst /usr/share/%.c,$(O)/%.o,$(LLHTTP_SRC))
proxy_obj := $(call obj,$(call room_src,proxy))
objectd_obj := $(call obj,$(call room_src,objectd))
ringtool_obj := $(call obj,$(call room_src,ringtool))
compute_obj := $(call obj,$(call room_src,compute))

programs := $(if $(wildcard proxy/main.c),$(O)/bin/needletail-proxy) \
	$(if $(wildcard objectd/main.c),$(O)/bin/needletail-objectd) \
	$(if $(wildcard ringtool/main.c),$(O)/bin/ringtool) \
	$(if $(wildcard compute/main.c),$(O)/bin/needletail-compute)
bench_programs := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))

unit_src := $(shell find tests/unit -name '*_test.c' 2>/dev/null)
unit_helper_obj := $(call obj,$(filter-out $(unit_src),$(shell find tests/unit -name '*.c' 2>/dev/null)))
unit_bin := $(patsubst tests/%.c,$(O)/tests/%,$(unit_src))

.PHONY: all run check bench fuzz fuzz-replay tidy clang-tidy install clean deps unit \
	bench-programs unit-programs fuzz-replay-programs
all: $(programs)

bench-programs: $(bench_programs)

$(O)/lib.a: $(lib_obj)
	@rm -f $@ && ar rcs $@ $^
$(O)/proxy.a: $(proxy_obj)
	@rm -f $@ && ar rcs $@ $^
$(O)/objectd.a: $(objectd_obj)
	@rm -f $@ && ar rcs $@ $^
$(O)/ringtool.a: $(ringtool_obj)
	@rm -f $@ && ar rcs $@ $^
$(O)/compute.a: $(compute_obj)
	@rm -f $@ && ar rcs $@ $^

$(O)/bin/needletail-%: $(O)/%/main.o $(O)/%.a $(O)/lib.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
$(O)/bin/ringtool: $(O)/ringtool/main.o $(O)/ringtool.a $(O)/lib.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

$(O)/compute/%.o: CFLAGS_ALL += $(COMPUTE_CFLAGS)
$(O)/bin/needletail-compute $(O)/tests/unit/compute/%: PKG_LIBS += $(COMPUTE_LIBS)

# Tests do not live on the small stacks that requests have.
$(O)/tests/%.o: CFLAGS_ALL += -Wframe-larger-than=16384
$(O)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -DNEEDLETAIL_VERSION='"$(VERSION)"' -c -o $@ $<
$(O)/%.o: %.S
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -c -o $@ $<
$(O)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu17 -DLLHTTP_STRICT_MODE=1 $(OPT) $(HARDEN) $(SANFLAGS) $(PKG_CFLAGS) -c -o $@ $<

# A test of proxy/x/y.c is tests/unit/proxy/x/y_test.c, and links that room's archive.
unit_archives = $(foreach room,proxy objectd ringtool compute,$(if $(findstring tests/unit/$(room)/,$(1)),$(O)/$(room).a)) $(O)/lib.a
.SECONDEXPANSION:
$(O)/tests/unit/%: $(O)/tests/unit/%.o $(unit_helper_obj) $$(call unit_archives,tests/unit/$$*)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(PKG_LIBS)

# What pytest drives the launcher of machines with.
drive := $(if $(wildcard tests/compute/drive.c),$(O)/tests/compute/drive)
$(drive): $(O)/tests/compute/drive.o $(O)/compute.a $(O)/lib.a
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS) $(COMPUTE_LIBS)

unit-programs: $(unit_bin) $(drive)

# Builds and runs the unit tests (UNIT=pattern for some).
unit: $(foreach t,$(unit_bin),$(if $(or $(if $(UNIT),,all),$(findstring $(UNIT),$(t))),$(t)))
	@for t in $^; do echo "== $$t"; ASAN_OPTIONS=detect_stack_use_after_return=0 $$t || exit 1; done

# Those of the store need objectd's archive.
$(O)/bench/store_%: $(O)/tests/bench/store_%.o $(O)/objectd.a $(O)/lib.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# A bench program is tests/bench/NAME.c and what is in the folder tests/bench/NAME/, if there is one.
$(O)/bench/%: $(O)/tests/bench/%.o $$(call obj,$$(wildcard tests/bench/$$*/*.c)) $(O)/lib.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# Fuzz targets: tests/fuzz/NAME_fuzz.c with LLVMFuzzerTestOneInput; corpus in tests/fuzz/corpus/NAME/.
# `make fuzz` builds them with libFuzzer; replay links tests/fuzz/replay.c instead of libFuzzer.
fuzz_src := $(wildcard tests/fuzz/*_fuzz.c)
# The rooms are programs of their own, which may use the same names: a target links those it includes.
fuzz_archives = $(foreach room,proxy objectd ringtool compute,$(if $(shell \
	grep -l '"$(room)/' tests/fuzz/$(1).c),$(O)/$(room).a)) $(O)/lib.a
fuzz_replay_bin := $(patsubst tests/fuzz/%.c,$(O)/fuzz-replay/%,$(fuzz_src))
$(O)/fuzz-replay/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $$(call fuzz_archives,$$*)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)
fuzz-replay-programs: $(fuzz_replay_bin)
fuzz-replay: $(fuzz_replay_bin)
	@for t in $^; do n=$$(basename $$t _fuzz); $$t tests/fuzz/corpus/$$n || exit 1; done

ifneq ($(findstring fuzzer,$(FUZZING)),)
$(O)/fuzz/%: $(O)/tests/fuzz/%.o $$(call fuzz_archives,$$*)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)
fuzz-programs: $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(fuzz_src))
endif
fuzz:
	$(MAKE) CC=clang SAN=address,undefined FUZZING=fuzzer O=build/fuzz CFLAGS=-fsanitize=fuzzer-no-link fuzz-programs

# Everything: both builds, all tests, the checkers. Ends with "N passed, N failed".
check:
	@bash tests/tools/check.sh

# The conventions, then clang-tidy on what changed since it last found nothing.
tidy:
	@$(PYTHON) tests/tools/tidy.py
	@$(MAKE) -s -k clang-tidy

# max-nodes bounds the analyzer to about a second a file.
tidy_src := $(filter %.c,$(lib_src)) $(wildcard tests/bench/*.c tests/bench/*/*.c tests/fuzz/*.c) \
	$(foreach room,proxy objectd ringtool compute,$(wildcard $(room)/main.c) $(call room_src,$(room)))
clang-tidy: $(patsubst %.c,$(O)/clang-tidy/%.ok,$(tidy_src))
$(O)/clang-tidy/%.ok: %.c .clang-tidy $(shell find lib proxy objectd ringtool compute tests -name '*.h')
	@mkdir -p $(@D)
	@out=$$(clang-tidy --quiet $< -- -std=gnu17 -I. $(PKG_CFLAGS) -DNEEDLETAIL_VERSION='""' \
		-Xclang -analyzer-config -Xclang max-nodes=50000 2>&1) || { echo "$$out"; exit 1; }
	@touch $@

# Ratios against the installed peers; BENCH= options, see tests/bench/bench.py --help.
bench:
	@tests/tools/deps.sh bench
	@$(MAKE) -s all bench-programs
	@$(PYTHON) tests/bench/bench.py --bin $(O)/bin $(BENCH)

# Installs the Debian packages that are missing, for building and for testing.
deps:
	@tests/tools/deps.sh check

# An all-in-one cluster in the foreground. A second make builds, because what pkg-config knows was asked
# before the packages were there. NEEDLETAIL_HOME, CONF and PORT are for bin/needletail.
run:
	@tests/tools/deps.sh build
	@$(MAKE) --no-print-directory -j$(shell nproc) O=$(O) CC=$(CC) SAN=$(SAN) all
	@NEEDLETAIL_BIN=$(abspath $(O))/bin exec bin/needletail run $(if $(CONF),--conf $(CONF)) $(if $(PORT),--port $(PORT))

# What `make` built, as a package would lay it out. Nothing is started.
PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/needletail
	install -m 755 $(programs) bin/needletail $(DESTDIR)$(PREFIX)/bin
	install -m 644 docs/operate/default.conf docs/operate/saio.conf $(DESTDIR)$(PREFIX)/share/needletail

# Tempest's object-storage and identity tests (Debian's package tempest): tests/tempest.
tempest: all
	$(PYTHON) -m pytest -q tests/tempest
.PHONY: tempest

clean:
	rm -rf build

-include $(shell find $(O) -name '*.d' 2>/dev/null)
.SECONDARY:
