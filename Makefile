# ovs-sdfw: the service-defined firewall for Open vSwitch.
#
#   make deps     installs what is needed, builds libopenvswitch (Debian 12)
#   make          builds build/bin/sdfw, sdfwd and ovs-vsctl
#   make demo     set-up, then a three-tier shop on real packets
#   make check    set-up, then all tests
#   make bench    measures compile, diff and push; SIZES="100 1000" of workloads
#   make fuzz     feeds mutated manifests to the library for SECONDS=60; needs
#                 clang, which "make deps" does not install
#   make install  DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc
#   make deb      builds a Debian package in build/deb; "make check-deb" tries
#                 it in a Debian of its own
#
# Variables: OVS_FROM=system links a packaged libopenvswitch (pkg-config),
# SANITIZE=1 builds with address and undefined behaviour sanitizers into a
# directory of its own, WERROR=1 makes warnings errors (CI), BUILD=dir.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:

VERSION = 0.1.0
RELEASED = 2026-11-24
OVS_FROM ?= source
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
BUILD ?= build
SBINDIR = $(PREFIX)/sbin
DATADIR = $(PREFIX)/share/sdfw
MANDIR = $(PREFIX)/share/man
# Whoever packages this decides how it becomes the ovs-vsctl of the host.
LIBEXECDIR = $(PREFIX)/libexec/sdfw
COMPLETIONDIR = $(PREFIX)/share/bash-completion/completions
UNITDIR = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d

# What is compiled goes to $(OUT); libopenvswitch stays in $(BUILD).
OUT = $(BUILD)$(if $(FUZZ),/fuzz,$(if $(SANITIZE),/sanitize))

ifeq ($(origin CC),default)
CC = gcc
endif
comma = ,
CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-unused-parameter \
	-Wno-sign-compare $(if $(WERROR)$(CI),-Werror)
# FUZZ=1 is for "make fuzz" itself.
SANITIZERS = $(if $(SANITIZE)$(FUZZ),-fsanitize=address$(comma)undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer) \
	$(if $(FUZZ),-fsanitize=fuzzer-no-link)

OVS = $(BUILD)/openvswitch
# Private headers (OVSDB, hashes) want the configuration they were built with.
OVS_CFLAGS = -include $(OVS)/config.h -isystem $(OVS)/include \
	-isystem $(OVS)/lib -isystem $(OVS)
ifeq ($(OVS_FROM),system)
OVS_LIBS = $(shell pkg-config --libs --static libopenvswitch)
else
OVS_LIBS = $(OVS)/lib/.libs/libopenvswitch.a -lssl -lcrypto -lcap-ng \
	-latomic -lm -lunbound -lpthread
endif
# Parsing a large manifest is a third faster with it, and a push with it; the
# sanitizers bring their own.
ALLOCATOR ?= $(if $(SANITIZE)$(FUZZ),,-ljemalloc)
XML_CFLAGS = $(shell xml2-config --cflags)
XML_LIBS = $(shell xml2-config --libs)
# Profiles and captures of "sdfw learn".
LEARN_LIBS = -lsqlite3 -lpcap

ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(SANITIZERS) $(CPPFLAGS) \
	$(CFLAGS) -D_GNU_SOURCE -DSDFW_VERSION='"$(VERSION)"' \
	-Igenerator -Iovs-ext $(OVS_CFLAGS) $(XML_CFLAGS)
ALL_LDFLAGS = $(SANITIZERS) $(LDFLAGS)

# The library is every file of generator/ but the command's own.
command_sources = generator/sdfw.c $(wildcard generator/cmd-*.c)
library_sources = $(filter-out $(command_sources),$(wildcard generator/*.c))
daemon_sources = $(wildcard ovs-ext/*.c)
vsctl_sources = $(wildcard ovs-ext/vsctl/*.c)
# What of the daemon needs no loop, for unit tests.
daemon_pure = ovs-ext/accounting.c ovs-ext/address.c ovs-ext/append.c \
	ovs-ext/book.c \
	ovs-ext/deviation.c ovs-ext/explain.c ovs-ext/findings.c ovs-ext/fold.c \
	ovs-ext/pcapng.c \
	ovs-ext/queue.c ovs-ext/modes.c ovs-ext/settings.c ovs-ext/settings-read.c \
	ovs-ext/syslog-format.c
unit_tests = $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,\
	$(wildcard tests/unit/test-*.c))
# What unit tests share, and the made-up observations that they share with
# benchmarks.
simulated = tests/bench/draws.c tests/bench/estate.c
test_support = $(filter-out tests/unit/test-%,$(wildcard tests/unit/*.c)) \
	$(simulated)
fuzz_sources = $(wildcard tests/fuzz/*.c)
tool_sources = $(wildcard tests/bench/*.c tests/unit/*.c) $(fuzz_sources)

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
library = $(OUT)/lib/libsdfw.a
schemas = $(patsubst %,$(OUT)/obj/%.o,$(wildcard schemas/*))
page = $(patsubst %,$(OUT)/obj/%.o,$(wildcard ovs-ext/page/*))

man_pages = $(OUT)/man/sdfw.8 $(OUT)/man/sdfwd.8 $(OUT)/man/sdfw-push.8 \
	$(OUT)/man/ovs-vsctl-sdfw.8 $(OUT)/man/sdfw-manifest.5 \
	$(OUT)/man/sdfw-inventory.5 $(OUT)/man/sdfw-catalogue.5

.PHONY: all deps demo check check-unit check-system check-man bench fuzz \
	install deb check-deb clean
all: $(OUT)/bin/sdfw $(OUT)/bin/sdfwd $(OUT)/bin/ovs-vsctl $(man_pages)

deps:
	@integration/deps $(BUILD) $(OVS_FROM)

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The schemas and the catalogue become part of the library.
$(OUT)/obj/schemas/%.o: schemas/%
	@mkdir -p $(@D)
	$(LD) -r -b binary -z noexecstack -o $@ $<

# The page that sdfwd serves becomes part of sdfwd.
$(OUT)/obj/ovs-ext/page/%.o: ovs-ext/page/%
	@mkdir -p $(@D)
	$(LD) -r -b binary -z noexecstack -o $@ $<

$(library): $(call objects,$(library_sources)) $(schemas)
	@mkdir -p $(@D)
	rm -f $@
	ar rcs $@ $^

$(OUT)/bin/sdfw: $(call objects,$(command_sources)) $(library)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALLOCATOR) $(OVS_LIBS) $(XML_LIBS) $(LEARN_LIBS)

$(OUT)/bin/sdfwd: $(call objects,$(daemon_sources)) $(page) $(library)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALLOCATOR) -levent_openssl \
		-levent_extra -levent_core $(OVS_LIBS) -lssl -lcrypto $(XML_LIBS)

# Compiles the package's own ovs-vsctl too: ovs-ext/vsctl/native.c.
$(OUT)/bin/ovs-vsctl: $(call objects,$(vsctl_sources)) $(library)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALLOCATOR) $(OVS_LIBS) $(XML_LIBS)

$(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o \
		$(call objects,$(test_support) $(daemon_pure)) $(library)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(OVS_LIBS) $(XML_LIBS) $(LEARN_LIBS)

$(OUT)/tests/bench/%: $(OUT)/obj/tests/bench/%.o $(call objects,$(simulated)) \
		$(library)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(OVS_LIBS) $(XML_LIBS) $(LEARN_LIBS)

$(OUT)/bin/fuzz-manifest: $(call objects,$(fuzz_sources)) $(library)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(OVS_LIBS) $(XML_LIBS) $(LEARN_LIBS)

# Man pages come from what they describe.
$(OUT)/man/sdfw.8: docs/man/sdfw.py $(OUT)/bin/sdfw
	@mkdir -p $(@D)
	python3 $< $(OUT)/bin/sdfw $(VERSION) $(RELEASED) >$@

$(OUT)/man/ovs-vsctl-sdfw.8: docs/man/ovs-vsctl-sdfw.py $(OUT)/bin/ovs-vsctl
	@mkdir -p $(@D)
	python3 $< $(OUT)/bin/ovs-vsctl $(VERSION) $(RELEASED) >$@

$(OUT)/man/sdfwd.8: docs/man/sdfwd.inc $(OUT)/bin/sdfwd
$(OUT)/man/sdfw-push.8: docs/man/sdfw-push.inc integration/sdfw-push
$(OUT)/man/sdfwd.8 $(OUT)/man/sdfw-push.8:
	@mkdir -p $(@D)
	help2man --no-info --section=8 --manual="ovs-sdfw Manual" \
		--version-string="$(@F:.8=) (ovs-sdfw) $(VERSION)" \
		--include=$< $(lastword $^) >$@.new
	sed '/^\.TH/s/"[A-Z][a-z]* [0-9]*"/"$(RELEASED)"/' $@.new >$@
	rm $@.new

$(OUT)/man/sdfw-%.5: docs/man/%.xsl schemas/%.xsd docs/man/schema.xsl
	@mkdir -p $(@D)
	xsltproc --stringparam version $(VERSION) --stringparam date $(RELEASED) \
		-o $@ $< schemas/$*.xsd

-include $(patsubst %.o,%.d,$(call objects,$(command_sources) \
	$(daemon_sources) $(vsctl_sources) $(library_sources) $(tool_sources)))

# What "make install" puts into $(DATADIR) for a site to use.
examples = cron grafana logrotate prometheus rsyslog

# The two commands of README.
demo: deps
	@$(MAKE) --no-print-directory -s all
	@python3 tests/system/demo.py $(OUT)/bin/sdfw

check: deps
	@$(MAKE) --no-print-directory -s all check-man check-unit check-system

check-unit: $(unit_tests)
	@set -e; for test in $(unit_tests); do $$test; done

check-man: $(man_pages)
	@mandoc -T lint -W warning $(man_pages)
	@python3 tests/check-man.py $(OUT)/bin $(OUT)/man

check-system: all
	@python3 tests/system/run.py --sdfw $(OUT)/bin/sdfw

bench: deps
	@$(MAKE) --no-print-directory -s all $(OUT)/tests/bench/topology \
		$(OUT)/tests/bench/roles $(OUT)/tests/bench/completeness
	@python3 tests/bench/bench.py $(OUT) $(SIZES)
	@python3 tests/bench/daemon.py $(OUT)
	@python3 tests/bench/deviations.py $(OUT)
	@python3 tests/bench/inventory.py $(OUT)
	@$(OUT)/tests/bench/roles 100 1000
	@$(OUT)/tests/bench/completeness

SECONDS = 60
fuzz: deps
	@command -v clang >/dev/null || { echo "make fuzz needs clang, which is" \
		"not installed (Debian: apt-get install clang)" >&2; exit 1; }
	@$(MAKE) --no-print-directory -s CC=clang FUZZ=1 \
		$(BUILD)/fuzz/bin/fuzz-manifest
	@mkdir -p $(BUILD)/fuzz/corpus $(BUILD)/fuzz/found
	$(BUILD)/fuzz/bin/fuzz-manifest -max_total_time=$(SECONDS) -max_len=8192 \
		-timeout=20 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/found/ $(BUILD)/fuzz/corpus \
		tests/fuzz/seeds docs/examples tests/manifests

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(DATADIR) \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -m 755 $(OUT)/bin/sdfw $(OUT)/bin/sdfwd $(DESTDIR)$(SBINDIR)
	install -d $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(COMPLETIONDIR)
	install -m 755 $(OUT)/bin/ovs-vsctl $(DESTDIR)$(LIBEXECDIR)
	install -m 644 integration/completion/* $(DESTDIR)$(COMPLETIONDIR)
	install -m 644 schemas/* $(DESTDIR)$(DATADIR)
	install -m 644 $(filter %.5,$(man_pages)) $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(filter %.8,$(man_pages)) $(DESTDIR)$(MANDIR)/man8
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) \
		$(DESTDIR)$(SYSCONFDIR)/sdfw
	install -m 644 integration/systemd/sdfw*.service \
		integration/systemd/sdfw*.timer $(DESTDIR)$(UNITDIR)
	install -m 644 integration/systemd/sdfw.sysusers.conf \
		$(DESTDIR)$(SYSUSERSDIR)/sdfw.conf
	install -m 755 integration/sdfw-push $(DESTDIR)$(SBINDIR)
	install -m 644 integration/*.conf $(DESTDIR)$(DATADIR)
# For a site to look at, and to copy to where its other ones are.
	for kind in $(examples); do \
		install -d $(DESTDIR)$(DATADIR)/$$kind && \
		install -m 644 integration/$$kind/* $(DESTDIR)$(DATADIR)/$$kind \
		|| exit; done
	sed -i 's|/usr/local/sbin|$(SBINDIR)|;s|/etc/sdfw|$(SYSCONFDIR)/sdfw|;'\
	's|/usr/local/share/sdfw|$(DATADIR)|' \
		$(DESTDIR)$(UNITDIR)/sdfw*.service $(DESTDIR)$(SBINDIR)/sdfw-push \
		$(DESTDIR)$(DATADIR)/cron/* $(DESTDIR)$(DATADIR)/prometheus/*
	install -d $(DESTDIR)$(DATADIR)/ci
	install -m 755 integration/ci/*.sh $(DESTDIR)$(DATADIR)/ci
	chmod 644 $(DESTDIR)$(DATADIR)/ci/settings.sh
	for file in github.yml gitlab.yml; do \
		sed 's|/usr/local/share/sdfw|$(DATADIR)|' integration/ci/$$file \
			>$(DESTDIR)$(DATADIR)/ci/$$file || exit; \
		chmod 644 $(DESTDIR)$(DATADIR)/ci/$$file; \
	done
# What a site has written stays.
	for file in sdfwd.conf push.conf; do \
		test -e $(DESTDIR)$(SYSCONFDIR)/sdfw/$$file || install -m 644 \
		integration/$$file $(DESTDIR)$(SYSCONFDIR)/sdfw || exit; done

# A copy of the sources, with debian/ where Debian's tools want it.
DEB = $(BUILD)/deb/ovs-sdfw-$(VERSION)
deb: deps
	@rm -rf $(BUILD)/deb
	@mkdir -p $(DEB)
	@cp -a Makefile README.md docs generator integration ovs-ext schemas $(DEB)
	@mv $(DEB)/integration/debian $(DEB)
	@sed "s/@VERSION@/$(VERSION)/;s/@DATE@/$$(date -uRd $(RELEASED))/" \
		$(DEB)/debian/changelog.in >$(DEB)/debian/changelog
# Not with the variables of this make; -d, as "make deps" knows what is needed.
	@cd $(DEB) && env -u MAKEFLAGS -u MFLAGS OVS=$(abspath $(OVS)) \
		OVS_FROM=$(OVS_FROM) \
		dpkg-buildpackage -d -b -us -uc >../log 2>&1 || { tail -n 30 ../log >&2; \
		echo "make deb: failed; the above is the end of $(BUILD)/deb/log" >&2; \
		exit 1; }
	@ls $(BUILD)/deb/*.deb

check-deb: deb
	@integration/deps $(BUILD) $(OVS_FROM) lintian mmdebstrap
	@python3 tests/packaging/run.py $(BUILD)

clean:
	rm -rf $(BUILD)/obj $(BUILD)/bin $(BUILD)/lib $(BUILD)/man $(BUILD)/tests \
		$(BUILD)/sanitize $(BUILD)/fuzz $(BUILD)/deb
