# install.mk: the shared library, and what goes where on a machine. Part of the Makefile.

# ---- the shared library, in a folder of its own: programs of this tree take the archive

SONAME  := libgossamer.so.$(firstword $(subst ., ,$(VERSION)))
SHARED_FILE := $(B)/shared/libgossamer.so.$(VERSION)
NONSHARED := $(B)/shared/libgossamer_nonshared.a
SYMBOLS := runtime/libgossamer.symbols
# What a program holds of it, where functions have stack checks.
NONSHARED_SRC := $(wildcard runtime/thunks/nonshared_$(ARCH).S)
NONSHARED_OBJ := $(if $(NONSHARED_SRC),$(B)/runtime/os/wrap_pthread.c.o \
                 $(patsubst %,$(B)/shared/%.o,$(NONSHARED_SRC) runtime/stack/probe_$(ARCH).S))
# Sanitizers come with the program; and a port without stack checks has the archive alone.
SHARED  := $(if $(SAN),,$(if $(NONSHARED_SRC),$(SHARED_FILE) $(B)/shared/libgossamer.so $(B)/shared/$(SONAME)))
all: $(SHARED)
SHARED_OBJ := $(filter-out %/os/wrap_pthread.c.o %/probe_$(ARCH).S.o,$(LIB_OBJ)) $(B)/runtime/thunks/linked.c.o
SHARED_LINK := -shared -fuse-ld=lld -Wl,-soname,$(SONAME) -Wl,--version-script,$(B)/shared/libgossamer.map -Wl,@$(WRAP) \
               -Wl,-z,now -Wl,-z,relro -Wl,-z,defs -Wl,-z,noexecstack -Wl,--exclude-libs,ALL -Wl,-Bsymbolic-functions

$(B)/runtime/thunks/linked.c.o: KIND := $(LIB_FLAGS)
$(NONSHARED_OBJ): KIND := $(LIB_FLAGS)
# Names with a version are ours; others stand before libc's of whichever version.
$(B)/shared/libgossamer.map: $(SYMBOLS)
	@mkdir -p $(@D)
	@awk '$$2 ~ /^GOSSAMER_/ { its[$$2] = its[$$2] " " $$1 ";" } END { for (v in its) print v " {\nglobal:" its[v]; \
	    print "local: gos__*; gos_[a-z]*; __wrap_*;\n};" }' $< >$@
$(SHARED_FILE): $(SHARED_OBJ) $(LIB) $(WRAP) $(B)/shared/libgossamer.map scripts/install.mk
	$(call say,LINK,$@)
	$(Q)$(CC) $(SHARED_LINK) $(CFLAGS) $(LDFLAGS) $(SHARED_OBJ) $(LIB) -lhwloc -lm -pthread -o $@
$(B)/shared/$(SONAME): $(SHARED_FILE)
	@ln -sf $(notdir $<) $@
# What `-lgossamer` finds: first what has to be part of the program.
$(B)/shared/libgossamer.so: $(SHARED_FILE) $(NONSHARED)
	@printf '/* GNU ld script */\nGROUP ( $(notdir $(NONSHARED)) $(SONAME) )\n' >$@
# An object for each of libc's functions, as of the archive.
$(NONSHARED): $(NONSHARED_OBJ) $(B)/thunk.s runtime/thunks/functions.list
	$(call say,AR,$@)
	$(Q)rm -rf $@ $(@D)/thunks && mkdir -p $(@D)/thunks
	$(Q)awk '/^(leaf|plain|variadic) / { for (i = 2; i <= NF; i++) print "THUNK_" ($$1 == "leaf" ? $$1 : "away_" $$1), $$i }' \
	    runtime/thunks/functions.list | \
	    while read -r thunk; do printf '.include "$(B)/thunk.s"\n%s\n' "$$thunk" | \
	    as -o "$(@D)/thunks/$${thunk#* }.o" - || exit 1; done
	$(Q)ar rcs $@ $(NONSHARED_OBJ) $(@D)/thunks/*.o
$(B)/shared/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(KIND) -DGOS_NONSHARED -MMD -MP $(CFLAGS) -c $< -o $@

# ---- install

DEST := $(DESTDIR)$(PREFIX)
HEADERS   := $(patsubst runtime/%,%,$(wildcard runtime/include/*.h runtime/include/*/*.h runtime/include/*/*/*.h))
L         := $(LIBDIR)
OBJECTS   := $(addprefix $L/,libgossamer.so.$(VERSION) $(SONAME) libgossamer.so libgossamer_nonshared.a)
INSTALLED := $(HEADERS) $L/libgossamer.a $L/pkgconfig/gossamer.pc $L/pkgconfig/gossamer-static.pc \
             $L/cmake/Gossamer/GossamerConfig.cmake $L/cmake/Gossamer/GossamerConfigVersion.cmake
COMMANDS  := bin/gossamer-seeds
# What stack checks need.
ifneq ($(NONSHARED_SRC),)
PC        := runtime/gossamer.pc.in
INSTALLED += $L/gossamer.wrap $L/gossamer.static $L/gossamer/link/thunk.s $L/gossamer/link/choose.awk $L/gossamer/gcc.specs
COMMANDS  += $L/gossamer/link/ld.lld $L/gossamer/as/as bin/gossamer-cc bin/gossamer-c++
install: install-checked
else
PC        := runtime/gossamer-paged.pc.in
endif
PAGES     := $(HEADERS:%=runtime/%)
$(B)/man/man3/gossamer.3: scripts/man.py $(PAGES) Makefile
	$(call say,MAN,$(@D))
	$(Q)rm -rf $(@D) && $(PYTHON) scripts/man.py --version $(VERSION) --out $(@D) $(filter-out %/errno.h,$(PAGES))
man: $(B)/man/man3/gossamer.3
# Where the loader looks anyhow; programs are told of other places.
SYSTEM    := $(filter /usr /usr/local,$(patsubst %/,%,$(PREFIX)))
# From LIBDIR back to PREFIX.
UP        := $(subst $() ,/,$(patsubst %,..,$(subst /, ,$L)))
# a template of runtime/; a line each: what stands for @NAME@
filled     = sed -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBDIR@|$L|' -e 's|@UP@|$(UP)|' -e 's|@RPATH@|$(if $(SYSTEM),,-Wl,-rpath,$${libdir} )|' \
             -e 's|@LIBRARY@|$(or $1,-lgossamer$(if $(SHARED),, -lhwloc))|'
.PHONY: install-checked
install-checked: $(WRAP) $(B)/gossamer.static $(B)/thunk.s
	$(Q)mkdir -p $(addprefix $(DEST)/,$L/gossamer/link $L/gossamer/as bin)
	$(Q)cp $(WRAP) $(B)/gossamer.static $(DEST)/$L/
	$(Q)cp $(B)/thunk.s runtime/cc/choose.awk $(DEST)/$L/gossamer/link/
	$(Q)cp runtime/cc/gcc.specs $(DEST)/$L/gossamer/
	$(Q)cp runtime/cc/link.sh $(DEST)/$L/gossamer/link/ld.lld
	$(Q)cp runtime/cc/assemble.sh $(DEST)/$L/gossamer/as/as
	$(Q)$(filled) runtime/cc/gossamer-cc.sh >$(DEST)/bin/gossamer-cc
	$(Q)ln -sf gossamer-cc $(DEST)/bin/gossamer-c++
install: $(LIB) $(SHARED) man
	$(Q)mkdir -p $(addprefix $(DEST)/,include/gossamer/libc share/man/man3 $L/pkgconfig $L/cmake/Gossamer bin)
	$(Q)for header in $(HEADERS); do cp runtime/$$header $(DEST)/$$header || exit 1; done
	$(Q)cp $(LIB) $(DEST)/$L/libgossamer.a
	$(if $(SHARED),$(Q)rm -f $(addprefix $(DEST)/,$(OBJECTS)) && cp -P $(OBJECTS:$L/%=$(B)/shared/%) $(DEST)/$L/)
	$(Q)cp runtime/cc/gossamer-seeds.sh $(DEST)/bin/gossamer-seeds
	$(Q)$(filled) $(PC) >$(DEST)/$L/pkgconfig/gossamer.pc
	$(Q)$(call filled,$${libdir}/libgossamer.a -lhwloc) $(PC) >$(DEST)/$L/pkgconfig/gossamer-static.pc
	$(Q)for file in GossamerConfig GossamerConfigVersion; do \
	    $(filled) runtime/$$file.cmake.in >$(DEST)/$L/cmake/Gossamer/$$file.cmake || exit 1; done
	$(Q)cp $(B)/man/man3/*.3 $(DEST)/share/man/man3/
	$(Q)chmod 644 $(addprefix $(DEST)/,$(INSTALLED)) $(DEST)/share/man/man3/gos*.3
	$(Q)chmod 755 $(addprefix $(DEST)/,$(COMMANDS))
	$(if $(and $(SYSTEM),$(if $(DESTDIR),,here)),$(Q)! command -v ldconfig >/dev/null || ldconfig)
uninstall:
	$(Q)rm -f $(addprefix $(DEST)/,$(INSTALLED) $(OBJECTS) $(COMMANDS)) $(DEST)/share/man/man3/gossamer.3 $(DEST)/share/man/man3/gos_*.3
	$(Q)for folder in include/gossamer/libc include/gossamer $L/gossamer/link $L/gossamer/as $L/gossamer $L/cmake/Gossamer; do \
	    [ ! -d $(DEST)/$$folder ] || rmdir $(DEST)/$$folder; done

# ---- tarball and Debian package, of the last commit

DIST := build/gossamer-$(VERSION).tar.gz
DEB  := build/deb/gossamer-$(VERSION)
.PHONY: deb dist
dist:
	@mkdir -p build
	$(Q)git archive --prefix=gossamer-$(VERSION)/ HEAD | gzip -n9 >$(DIST).$$$$ && mv $(DIST).$$$$ $(DIST)
	@echo $(DIST)
deb: dist
	$(Q)command -v dh >/dev/null && command -v fakeroot >/dev/null || { \
	    echo 'deb: missing: debhelper fakeroot; run `apt-get install dpkg-dev debhelper fakeroot`' >&2; exit 2; }
	$(Q)rm -rf build/deb && mkdir -p build/deb && tar -C build/deb -xf $(DIST)
	$(Q)cp $(DIST) build/deb/gossamer_$(VERSION).orig.tar.gz
	$(Q)cd $(DEB) && env -u MAKEFLAGS -u CC -u CXX -u CFLAGS -u LDFLAGS -u B dpkg-buildpackage -us -uc $(if $(Q),>../log 2>&1 || \
	    { tail -n 20 ../log >&2; exit 1; })
	@ls build/deb/*.deb
