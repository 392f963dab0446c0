# make targets
#   setup         install what is missing (Debian, Ubuntu); may be followed by others: make setup bench
#   setup-programs  fetch the sources of real programs that the suite measures (by npm and cargo, pinned; one by apt)
#   setup-peers   install the libraries that bench compares with where it finds them (Debian, Ubuntu; Rust's by cargo)
#   setup-fuzz    install clang's libFuzzer (Debian, Ubuntu): without it fuzz tries random inputs alone
#   setup-cross   install what building for aarch64 and running that here need (Debian): make check CC=aarch64-linux-gnu-gcc
#   programs      build these, each as the suite compares it
#   all           the default: library, benches, tests and examples, without network
#   check         build, then run all tests, examples, layer and style checks
#   check-faults  each call that the runtime makes fails in turn, everywhere it is made: some ten minutes; adds its
#                 counts to results/reliability
#   check-layers  only who includes whom, and style
#   nightly       an hour: every test under each sanitizer and with CHECKS=3, with gcc and with clang; faults, memcheck,
#                 models, fuzz, soak, aarch64; writes results/reliability and docs/RELIABILITY.md
#   check-valgrind  memcheck over tests of the interface, on paged stacks (it does not follow stacks that grow)
#   fuzz          random programs, environments and result files, for TIME seconds (tests/fuzz)
#   check-soak    a minute of what soak does for ten
#   check-model   spin goes through models of the concurrency protocols, and their mutants (tests/model)
#   bench         build, measure, plot and write REPORT.md; see PROFILE
#   plots         figures of RESULTS, from its raw data alone
#   reliability   docs/RELIABILITY.md from what nightly wrote into results/reliability
#   report        REPORT.md of RESULTS, and RESULTS/report.html, from its raw data alone
#   doctor        says what would spoil a run on this machine, and what to do about it
#   compare       ratios of two runs: A=results/x B=results/y, ACROSS=1 when they are of different machines
#   perf-check    has this tree become slower than BASE? Exit status and docs: docs/PERF-GATE.md
#   perf-budget   writes the exact budget of this compiler from this tree
#   perf-check-aa compares a build with itself RUNS times and counts false alarms: half an hour
#   man           manual pages, from the headers, in the build folder
#   install       headers, libraries, gossamer.pc and manual pages under PREFIX (and DESTDIR)
#   soak          ten minutes of everything at once: sums, memory, descriptors; adds its counts to results/reliability
#   uninstall     remove these again
#   dist          a tarball of the last commit: build/gossamer-VERSION.tar.gz
#   deb           Debian packages of it, in build/deb
#   clean         remove build/
#   help          this page
#
# knobs (NAME=value after make)
#   PROFILE       bench: quick, default (some ten minutes; more with every peer) or full (for the paper)
#   RESULTS       plots, report: a folder of results/; by default latest, else reference
#   CASES         bench: only these cases, comma-separated
#   CONTENDERS    bench: only these contenders, comma-separated
#   MORE          a folder of further contenders (docs/ADDING-A-CONTENDER.md); baselines/more by default
#   MOST          bench: gossamer parks so many tasks as well; 20000000 need 16 GiB of free memory (full does it)
#   BASE          perf-check: a commit; by default where this branch left main, else the last tag or the commit before
#   RUNS          perf-check-aa: 30 by default
#   ONLY          check, fuzz: only tests whose name contains this
#   TIME          fuzz: seconds; 60 by default
#   SEED          check, check-faults, check-soak, soak, bench, perf-check: repeats the draws of a run that printed this seed
#   SAN           address, undefined or thread: build with that sanitizer
#   CHECKS        0 to 3: level of the runtime's own assertions; 0 by default
#   CC            gcc (default), clang or a path; CXX follows it
#   CFLAGS        -O2 -g by default; come last, so they win; LDFLAGS the same for each link
#   PYTHON        python3 by default; JAVA_HOME: a JDK for the peers in Java
#   PREFIX        /usr/local by default; DESTDIR is put before it
#   LIBDIR        install: where below PREFIX libraries go; lib by default
#   B             build folder; by default one for each CC, SAN and CHECKS below build/
#   V             1: show full commands

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# The one place where the version stands is the header.
VERSION := $(subst $() ,.,$(shell sed -n 's/^.define GOS_VERSION_[MP][A-Z]* //p' runtime/include/gossamer.h 2>/dev/null))
PROFILE ?= default
RESULTS ?= $(if $(wildcard results/latest),results/latest,results/reference)
ONLY    ?=
TIME    ?= 60
MORE    ?= baselines/more
SEED    ?=
SAN     ?=
CHECKS  ?= 0
PREFIX  ?= /usr/local
DESTDIR ?=
LIBDIR  ?= lib
PYTHON  ?= python3
V       ?=
CFLAGS  ?= -O2 -g
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := $(patsubst ./%,%,$(join $(dir $(CC)),$(patsubst cc,c++,$(subst clang,clang++,$(subst gcc,g++,$(notdir $(CC)))))))
endif

# ---- bad input ends here, before anything is touched

TARGETS := all bench check check-faults check-layers check-model check-soak check-valgrind clean compare doctor fuzz \
           help install man \
           perf-budget perf-check perf-check-aa plots programs reliability report setup setup-cross setup-fuzz setup-peers \
           soak setup-programs nightly uninstall
TARGETS += deb dist
BUILDS  := all bench check check-faults check-soak soak install programs perf-budget perf-check perf-check-aa
GOALS   := $(or $(MAKECMDGOALS),all)

unknown := $(strip $(foreach g,$(GOALS),$(if $(or $(filter $(TARGETS),$g),$(findstring /,$g)),,$g)))
ifneq ($(unknown),)
$(error no target '$(firstword $(unknown))': `make help` lists them)
endif
one_of = $(if $(and $(filter 1,$(words $($1))),$(filter $2,$($1))),,$(error $1='$($1)' is unknown: use one of $2))
$(call one_of,PROFILE,quick default full)
$(call one_of,CHECKS,0 1 2 3)
$(if $(SAN),$(call one_of,SAN,address undefined thread))

# ---- make setup OTHERS: the others run in a second make, which starts when setup has ended

ifneq ($(and $(filter setup,$(GOALS)),$(filter-out setup,$(GOALS))),)
others := $(filter-out setup,$(GOALS))
.PHONY: setup $(others)
setup:
	@scripts/setup
$(firstword $(others)): setup
	@+$(MAKE) $(others)
$(wordlist 2,$(words $(others)),$(others)): $(firstword $(others)) ; @:
else

# What CC builds for; where that is not this machine, libraries come from CROSS (scripts/setup cross), and programs run
# through EMULATOR.
HOST  := $(shell uname -m)
ARCH  := $(or $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null))),$(HOST))
CROSS := $(if $(filter-out $(HOST),$(ARCH)),build/cross/$(ARCH))
CROSS_LIB := $(CROSS)/usr/lib/$(ARCH)-linux-gnu
EMULATOR ?= $(if $(CROSS),scripts/emulate $(ARCH))
# compare has its second run in B; everything else builds there.
GIVEN_B := $(if $(findstring command,$(origin B)),$(B))
B    := build/$(subst $() ,_,$(notdir $(CC)))-$(or $(SAN),release)-c$(CHECKS)-$(ARCH)
# Tests name it by its whole path: to the stamps and to dependencies it is the same folder.
override B := $(patsubst $(CURDIR)/%,%,$(B))
ifneq ($(if $(filter 1,$(words $(B))),,$(filter-out compare,$(GOALS))),)
$(error B='$(B)' is no folder to build in: name one, without blanks, or leave B out)
endif

ifneq ($(or $(filter $(BUILDS),$(GOALS)),$(findstring /,$(GOALS))),)
ifeq ($(wildcard runtime/arch/*_$(ARCH).S),)
$(error there is no port to $(ARCH) yet)
endif
ifneq ($(if $(CROSS),$(or $(wildcard $(CROSS)/usr/include/hwloc.h),none)),$(wildcard $(CROSS:%=%/usr/include/hwloc.h)))
$(error missing: libraries for $(ARCH); run `make setup-cross`)
endif
ifneq ($(filter address thread,$(SAN)),$(if $(filter x86_64,$(ARCH)),$(filter address thread,$(SAN))))
$(error SAN=$(SAN) is for x86_64: elsewhere that sanitizer is not told of tasks)
endif
ifeq ($(wildcard $(B)/flags),)
missing := $(filter $(CC) $(CXX) libc6-dev lld libhwloc-dev $(if $(filter all bench check,$(GOALS)),libbenchmark-dev), \
           $(shell scripts/setup --missing))
$(if $(missing),$(error missing: $(missing); run `make setup`))
endif
compiler = $(if $(shell command -v $(firstword $($1))),,$(error $1='$($1)' is not a program here: name a compiler))
$(call compiler,CC)$(call compiler,CXX)
endif
ifneq ($(and $(filter bench,$(GOALS)),$(or $(SAN),$(filter-out 0,$(CHECKS)))),)
$(error bench measures the release build: leave SAN and CHECKS out)
endif

# ---- flags: what a file needs, and the user's last

comma  := ,
WARN   := -Wall -Wextra -Wvla -Wno-unknown-attributes -Werror # the attributes: gcc's noclone, which clang lacks
WARN_C := -Wmissing-prototypes -Wstrict-prototypes
OF     ?= .
COMMON := -fno-omit-frame-pointer -I$(OF)/runtime -I$(OF)/runtime/include -I. -DCHECKS=$(CHECKS) -pthread $(if $(CROSS),-isystem $(CROSS)/usr/include -isystem $(CROSS)/usr/include/$(ARCH)-linux-gnu)
SANITIZE_address   := -fsanitize=address,undefined -DGOS_ASAN=1 -DGOS_UBSAN=1
SANITIZE_undefined := -fsanitize=undefined -DGOS_UBSAN=1
SANITIZE_thread    := -fsanitize=thread -DGOS_TSAN=1
SANITIZE := $(if $(SAN),$(SANITIZE_$(SAN)) -fno-sanitize-recover=all)
ifeq ($(SAN)$(findstring clang,$(CC)),thread)
SANITIZE += -Wno-tsan # gcc: fences are not modelled; the wake-up protocols need them all the same
endif
ifeq ($(SAN)$(findstring clang,$(CC)),undefinedclang)
SANITIZE += -fno-sanitize=function # it puts words of its own before the prologue, where lld looks for the stack check
endif
C_FLAGS  := -std=gnu17 $(WARN) $(WARN_C) -fno-common $(COMMON) $(SANITIZE)
CC_FLAGS := -std=gnu++17 $(WARN) $(COMMON) $(SANITIZE)
# The runtime runs on system stacks and must serve shared objects too.
LIB_FLAGS := -fPIC -fvisibility=hidden -ftls-model=initial-exec
# For what reads what others wrote. Not on tasks' stacks, nor where there is no buffer: SECURITY.md.
FORTIFY   := $(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDENED  := $(if $(SAN),,-fstack-protector-strong $(FORTIFY))
# Task code: stack checks, and calls that the linker can see through. What knows of stacks wants whole (paged) ones.
PAGED := $(filter address thread,$(SAN))$(filter-out x86_64,$(ARCH))
# Stack checks; what a call's many arguments need is then part of the frame that is checked.
CHECKED := -fsplit-stack \
           $(if $(findstring clang,$(CC)),-mllvm -no-x86-call-frame-opt,-maccumulate-outgoing-args)
# Where a guard is all that ends a stack, no frame steps over one.
PROBED := $(if $(filter-out x86_64,$(ARCH)),$(if $(findstring clang,$(CC)),,\
          -fstack-clash-protection --param=stack-clash-protection-guard-size=12))
OWN_LIBC   := $(or $(wildcard $(OF)/runtime/include/gossamer/libc),$(OF)/runtime/include/gossamer)
TASK_FLAGS := $(if $(PAGED),$(PROBED),$(CHECKED)) -ftls-model=initial-exec -fno-plt $(if $(filter x86_64,$(ARCH)),-fcf-protection=none) \
              -isystem $(OWN_LIBC)
IO_FLAGS    := -fno-jump-tables # so that .ci/budget.py can follow every jump
PLAIN_FLAGS := $(filter-out $(CHECKED) -isystem $(OWN_LIBC),$(TASK_FLAGS)) # the same without us
LINK  = $(if $(filter x86_64,$(ARCH)),-fuse-ld=lld) -Wl,-z,now -pthread $(SANITIZE) $(if $(PAGED),,-Wl,@$(WRAP))
LIBS := $(if $(CROSS),-L$(CROSS_LIB) -Wl$(comma)-rpath-link=$(CROSS_LIB)) -L$(B) -lbaselines -lgossamer -lhwloc

# ---- what there is to build

# Without other systems to compare with: their libraries are this machine's, and not made for sanitizers.
ALONE := $(SAN)$(CROSS)

other_arch = $(filter-out %_$(ARCH).$1,$(wildcard runtime/*/*_x86_64.$1 runtime/*/*_aarch64.$1))
LIB_SRC   := $(sort $(filter-out $(call other_arch,c) $(call other_arch,S) runtime/thunks/%,\
             $(wildcard runtime/*/*.c runtime/*/*.S)))
# Run on tasks' stacks.
IO_SRC    := $(filter-out $(wildcard runtime/io/plain*.c),$(wildcard runtime/io/*.c runtime/lib/*.c))
CHECK_SRC := $(wildcard benches/check_*.c)
BASE_SRC  := $(sort $(wildcard baselines/*.c))
BENCH_SRC := $(sort $(filter-out $(CHECK_SRC),$(wildcard benches/*.c benches/*.cc)))
PROG_SRC  := $(sort $(wildcard tests/*/test_*.c tests/*/test_*.cc examples/*.c))
PROG_SRC  := $(filter-out $(if $(filter-out x86_64,$(ARCH)),$(shell grep -ls '^// arch: x86_64' $(PROG_SRC))),$(PROG_SRC))
PLAIN_SRC := $(if $(PROG_SRC),$(shell grep -ls '^// build: plain' $(PROG_SRC)))
TASK_SRC  := $(filter-out $(PLAIN_SRC),$(PROG_SRC)) $(wildcard benches/workload*.c)

LIB       := $(B)/libgossamer.a
# Made when it is proved that runtime entries keep to the end of a nursery; sanitizers add code of their own.
BUDGET    := $(if $(SAN)$(PAGED),,$(B)/budget)
# One object for each function of libc that has a door of its own, so that programs take only what they call.
thunks     = $(shell sed -n 's/^$1 //p' runtime/thunks/functions.list)
THUNK_OBJ := $(if $(wildcard runtime/thunks/thunk_$(ARCH).S),$(foreach kind,leaf plain variadic,$(patsubst %,$(B)/runtime/thunks/$(kind)/%.o,$(call thunks,$(kind)))))
WRAP      := $(B)/gossamer.wrap
BASELINES := $(B)/libbaselines.a
LIB_OBJ   := $(LIB_SRC:%=$(B)/%.o)
BASE_OBJ  := $(BASE_SRC:%=$(B)/%.o)
CHECK_OBJ := $(CHECK_SRC:%.c=$(B)/%.plain.o) $(CHECK_SRC:%.c=$(B)/%.checked.o)
# fib in many code layouts, each without and with checks.
LAYOUTS   := $(shell sed -n 's/^ *X(\([0-9]*\), \([0-9]*\)).*/\1-\2/p' benches/fib/layouts.h 2>/dev/null)
FIB_OBJ   := $(foreach l,$(LAYOUTS),$(B)/benches/fib/$l.plain.o $(B)/benches/fib/$l.checked.o)
BENCH_OBJ := $(BENCH_SRC:%=$(B)/%.o) $(CHECK_OBJ) $(FIB_OBJ)
PROG_OBJ  := $(PROG_SRC:%=$(B)/%.o)
PROGS     := $(basename $(PROG_SRC:%=$(B)/%))
GOSBENCH  := $(if $(wildcard benches/main.c),$(B)/gosbench)
# Peers are built where their language is installed; bench.py says how to get what is missing.
GO        := $(if $(CROSS),,$(shell command -v go))
GOBENCH   := $(if $(GO),$(B)/gobench)
# The crossing loop over gcc's own runtime for split stacks, where libgcc has one.
LIBGCC    := $(shell $(CC) -print-libgcc-file-name 2>/dev/null)
SPLIT     := $(if $(ALONE),,$(if $(shell grep -sal __morestack_non_split $(LIBGCC)),$(B)/libgcc-split))
# Libraries as contenders: gosbench with another registry, where the library is installed.
# clang before 15 does not take libstdc++'s coroutines.
OLD_CLANG := $(if $(findstring clang,$(CXX)),$(shell v=$$($(CXX) -dumpversion) && [ "$${v%%.*}" -lt 15 ] && echo old))
PEERS     := boost/fiber boost/fcontext $(if $(OLD_CLANG),,cxx20/cxx20) pth/pth st/st tbb/tbb
NEEDS_cxx20/cxx20    := stdio.h
NEEDS_boost/fiber    := boost/fiber/all.hpp
NEEDS_boost/fcontext := boost/context/detail/fcontext.hpp
NEEDS_pth/pth        := pth.h
NEEDS_st/st          := st.h
NEEDS_tbb/tbb        := oneapi/tbb/task_group.h
LINKS_boost/fiber    := -lboost_fiber -lboost_context
LINKS_boost/fcontext := -lboost_context
LINKS_pth/pth        := -lpth
LINKS_st/st          := -lst
LINKS_tbb/tbb        := -ltbb
# Its units are its own.
WITHOUT_cxx20/cxx20  := %/benches/workload.c.o
$(B)/baselines/peers/cxx20/%: KIND += -std=gnu++20
PEERS     := $(if $(ALONE),,$(foreach p,$(PEERS),$(if $(wildcard /usr/include/$(NEEDS_$p)),$p)))
PEER_PROG := $(foreach p,$(PEERS),$(B)/peer-$(notdir $p))
# Whatever else lies in this folder: docs/ADDING-A-CONTENDER.md.
MORE_SRC  := $(if $(ALONE),,$(wildcard $(MORE)/*.c $(MORE)/*.cc))
PEER_PROG += $(foreach f,$(MORE_SRC),$(B)/peer-$(basename $(notdir $f)))
# The same objects linked in other orders: where code happens to lie must not decide between contenders.
ORDERS    := $(if $(ALONE)$(PAGED),,2 3)
ORDERED   := $(foreach o,$(ORDERS),$(patsubst $(B)/%,$(B)/order-$o/%,$(GOSBENCH) $(PEER_PROG)))
shuffle    = $(patsubst order-%,-fuse-ld=lld -Wl$(comma)--shuffle-sections=.text*=%,$(filter order-%,$(notdir $(@D))))
comma     := ,
# Rust's, where their crates have been fetched; Java's, where there is a JDK that has virtual threads.
CARGO     := $(if $(ALONE),,$(if $(shell command -v cargo),$(patsubst build/peers/%.fetched,%,$(wildcard build/peers/*.fetched))))
RUST      := $(CARGO:%=$(B)/%bench)
ERLANG    := $(if $(ALONE),,$(if $(shell command -v erlc),$(B)/erlbench))
JAVA_HERE := $(if $(ALONE),,$(shell baselines/peers/java/find-java))
JAVA      := $(if $(JAVA_HERE),$(B)/javabench)
LIBUV     := $(wildcard /usr/include/uv.h)
# The servers, where a parser library is installed; without one `make bench` says so in its rows.
PARSER    := $(if $(wildcard /usr/include/http_parser.h),-lhttp_parser,$(if $(wildcard /usr/include/llhttp.h),-lllhttp))
SERVERS   := $(if $(ALONE),,$(addprefix $(B)/benches/server/,loadgen $(if $(GO),server-go) $(if $(JAVA),server-java) \
             $(if $(ERLANG),server-erlang) $(if $(filter tokio,$(CARGO)),server-tokio) \
             $(if $(PARSER),server-gossamer server-pthread server-epoll $(if $(LIBUV),server-libuv))))

Q    := $(if $(filter-out 0,$(V)),,@)
say   = $(if $(Q),@printf '  %-5s %s\n' $1 $2)
# A file that changes only when its text does: what depends on it is rebuilt then, and only then.
keep  = @mkdir -p $(@D); text='$(subst ','\'',$1)'; \
	[ "$$text" = "$$(cat $@ 2>/dev/null)" ] || printf '%s\n' "$$text" >$@

.PHONY: all bench check check-faults check-layers check-model check-soak check-valgrind clean compare doctor fuzz \
        help install man \
        nightly perf-budget perf-check perf-check-aa plots reliability report soak setup setup-cross setup-fuzz setup-peers \
        uninstall FORCE
FORCE:

all: $(LIB) $(BUDGET) $(BASELINES) $(GOSBENCH) $(if $(ALONE)$(PAGED),,$(B)/gate) $(GOBENCH) $(RUST) \
     $(ERLANG) $(JAVA) $(SPLIT) $(SERVERS) $(PEER_PROG) $(ORDERED) $(PROGS)

# Not by which name the folder was called: tests name it in full.
$(B)/flags: FORCE
	$(call keep,$(subst $(B)/,,$(CC) $(CXX) $(C_FLAGS) $(CC_FLAGS) $(LIB_FLAGS) $(HARDENED) $(TASK_FLAGS) $(IO_FLAGS) \
	    $(LINK) $(CFLAGS) $(LDFLAGS)))
$(B)/sources: FORCE
	$(call keep,$(LIB_SRC) $(BASE_SRC) $(BENCH_SRC) $(CHECK_SRC))

$(LIB_OBJ): KIND := $(LIB_FLAGS)
$(filter $(addprefix $(B)/runtime/,base/% os/% debug/%),$(LIB_OBJ)): KIND := $(LIB_FLAGS) $(HARDENED)
$(IO_SRC:%=$(B)/%.o): KIND := $(LIB_FLAGS) $(TASK_FLAGS) $(IO_FLAGS)
$(TASK_SRC:%=$(B)/%.o): KIND := $(TASK_FLAGS)
# Functions of it begin as one task and end as another, which instrumented code cannot; helper.c says why of itself.
$(B)/runtime/arch/san.c.o: KIND += -fno-sanitize=all
$(B)/runtime/os/helper.c.o: KIND += -fno-sanitize=thread
$(B)/runtime/debug/gdb.S.o: runtime/debug/gossamer-gdb.py

$(B)/%.c.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(KIND) -MMD -MP $(CFLAGS) -c $< -o $@
$(B)/%.S.o: %.S $(B)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(KIND) -MMD -MP $(CFLAGS) -c $< -o $@
$(B)/%.cc.o: %.cc $(B)/flags
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CC_FLAGS) $(KIND) -MMD -MP $(CFLAGS) -c $< -o $@

# The same code without and with stack checks, side by side in one program.
$(B)/%.plain.o: %.c $(B)/flags
	$(call say,CC,'$< (plain)')
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(PLAIN_FLAGS) -DVARIANT=plain -MMD -MP $(CFLAGS) -c $< -o $@
$(B)/%.checked.o: %.c $(B)/flags
	$(call say,CC,'$< (checked)')
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(TASK_FLAGS) -DVARIANT=checked -MMD -MP $(CFLAGS) -c $< -o $@

$(FIB_OBJ): benches/fib/fib.c benches/fib/layouts.h $(B)/flags
	$(eval build := $(patsubst .%,%,$(suffix $(basename $@))))
	$(eval layout := $(basename $(basename $(notdir $@))))
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(if $(filter checked,$(build)),$(TASK_FLAGS),$(filter-out $(CHECKED),$(TASK_FLAGS))) $(CFLAGS) \
	    -falign-functions=$(word 1,$(subst -, ,$(layout))) -DPADDING=$(word 2,$(subst -, ,$(layout))) \
	    -DNAME=fib_$(subst -,_,$(layout))_$(build) -c $< -o $@

$(THUNK_OBJ): runtime/thunks/thunk_x86_64.S runtime/arch/asm.h runtime/arch/state.h runtime/base/config.h $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LIB_FLAGS) -DTHUNK=$(basename $(@F)) -DTHUNK_KIND=$(notdir $(@D:/=)) -c $< -o $@
# The same as a macro, for runtime/cc/link.sh.
$(B)/thunk.s: runtime/thunks/thunk_x86_64.S runtime/arch/asm.h runtime/arch/state.h runtime/base/config.h $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) -E -P $< -o $@
$(WRAP): runtime/thunks/functions.list Makefile
	@mkdir -p $(@D)
	@printf -- '--wrap=%s\n' $(basename $(notdir $(THUNK_OBJ))) >$@
# Static programs: libc.a refers to some functions weakly, which would not take the doors in, and then calls address 0.
$(B)/gossamer.static: $(WRAP) runtime/io/real.h
	@nm -D "$$($(CC) -print-file-name=libc.so.6)" | awk '{ sub(/@.*/, "", $$NF); print "--wrap=" $$NF }' | sort -u | \
	    grep -Fxf $(WRAP) | sed 's/--wrap=/-u __wrap_/' >$@
	@sed -n 's/.* \([_a-z]*\), "[A-Z_0-9.]*").*/-u \1/p' runtime/io/real.h >>$@

$(LIB): $(LIB_OBJ) $(THUNK_OBJ)
$(BASELINES): $(BASE_OBJ)
$(LIB) $(BASELINES): $(B)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)
$(B)/budget: $(LIB) .ci/budget.py runtime/thunks/functions.list
	$(call say,PROVE,$<)
	$(Q)CC='$(CC)' $(PYTHON) .ci/budget.py $<
	@touch $@
$(B)/gosbench $(ORDERS:%=$(B)/order-%/gosbench): $(BENCH_OBJ) $(LIB) $(WRAP) $(BASELINES) $(B)/sources
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LINK) $(shuffle) $(CFLAGS) $(LDFLAGS) $(BENCH_OBJ) $(LIBS) -lbenchmark -o $@
# A program of its own for a library: name, source, what to link, objects of gosbench that it replaces.
define peer
$(B)/peer-$1 $(ORDERS:%=$(B)/order-%/peer-$1): $(B)/$2.o $(BASELINES) $(LIB) \
    $(filter-out %/contenders.c.o %/workload_gossamer.c.o $4,$(BENCH_OBJ))
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(shuffle) $$(CFLAGS) $$(LDFLAGS) $$(filter %.o,$$^) $$(LIBS) $3 -lbenchmark -o $$@
endef
$(foreach p,$(PEERS),$(eval $(call peer,$(notdir $p),$(wildcard baselines/peers/$p.c*),$(LINKS_$p),$(WITHOUT_$p))))
$(foreach f,$(MORE_SRC),$(eval $(call peer,$(basename $(notdir $f)),$f,$(shell sed -n 's,^// links: ,,p' $f),)))
$(patsubst %.c,$(B)/%,$(filter %.c,$(PROG_SRC))): $(B)/%: $(B)/%.c.o $(LIB) $(BASELINES) $(WRAP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) $< $(LIBS) -lm -o $@
$(patsubst %.cc,$(B)/%,$(filter %.cc,$(PROG_SRC))): $(B)/%: $(B)/%.cc.o $(LIB) $(BASELINES) $(WRAP)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LINK) $(CFLAGS) $(LDFLAGS) $< $(LIBS) -o $@

# The runtime as it is, but that what it calls outside itself has other names: tests/fault/inject.c stands between.
FAULT_LIB := $(B)/fault/libgossamer.a
$(B)/fault/%.o: $(B)/%.o tests/fault/calls.list
	@mkdir -p $(@D)
	$(Q)objcopy $$(nm -u $< | awk 'FNR == NR { called[$$2]; next } \
	    /^[a-z]/ { sub(/[.].*/, "", $$1); name[$$1] } END { n = split("free pthread_join pthread_detach", freed); \
	    for (i = 1; i <= n; i++) name[freed[i]]; for (i in name) if (i in called) print "--redefine-sym", i "=fault__" i }' \
	    - tests/fault/calls.list) $< $@
$(FAULT_LIB): $(LIB_OBJ:$(B)/%=$(B)/fault/%) $(THUNK_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/fault/everything: $(addprefix $(B)/tests/fault/,everything.checked.o inside.checked.o outside.checked.o) \
    $(B)/tests/fault/inject.plain.o $(FAULT_LIB) $(WRAP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) -L$(@D) -lgossamer -lhwloc -o $@

SOAK := $(B)/tests/soak/soak
$(SOAK): $(SOAK).checked.o $(B)/tests/soak/activities.checked.o $(LIB) $(BASELINES) $(WRAP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(LIBS) -o $@

# One source, two starters. The blocking server and its parser glue are task code in one and plain code in the other.
SERVER := benches/server
SERVER_COMMON := $(B)/$(SERVER)/http.plain.o $(B)/$(SERVER)/serve.plain.o
$(B)/$(SERVER)/server-gossamer: $(addprefix $(B)/$(SERVER)/,blocking.checked.o http.checked.o start_gossamer.checked.o \
    serve.plain.o) $(LIB) $(WRAP)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) -L$(B) -lgossamer -lhwloc $(PARSER) -o $@
$(B)/$(SERVER)/server-pthread: $(addprefix $(B)/$(SERVER)/,blocking.plain.o start_pthread.plain.o) $(SERVER_COMMON)
$(B)/$(SERVER)/server-epoll: $(B)/$(SERVER)/epoll.plain.o $(SERVER_COMMON)
$(B)/$(SERVER)/server-libuv: $(B)/$(SERVER)/libuv.plain.o $(SERVER_COMMON)
$(B)/$(SERVER)/loadgen: $(B)/$(SERVER)/loadgen.plain.o
$(addprefix $(B)/$(SERVER)/,server-pthread server-epoll server-libuv loadgen):
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(CFLAGS) $(LDFLAGS) $^ $(if $(filter %/loadgen,$@),-lm,$(PARSER)) $(if $(filter %-libuv,$@),-luv) -o $@

# The gate's bench program over this runtime, or over that of another tree: OF, built into OF_B. With SHUFFLE, a seed, the
# code lies in another order; gate-mutant has two instructions more in each operation.
GATE     := $(B)/benches/gate
GATE_LIB := $(or $(OF_B),$(B))
GATE_OBJ := $(addprefix $(GATE)/,gate.checked.o parked.checked.o anchors.plain.o) $(B)/benches/check_calls.checked.o
$(B)/gate$(SHUFFLE): $(GATE_OBJ) $(GATE)/rows.checked.o
$(B)/gate-mutant: $(GATE_OBJ) $(GATE)/rows.mutant.o
$(B)/gate$(SHUFFLE) $(B)/gate-mutant: $(GATE_LIB)/libgossamer.a $(GATE_LIB)/gossamer.wrap
	$(call say,LINK,$@)
	$(Q)$(CC) $(subst $(WRAP),$(GATE_LIB)/gossamer.wrap,$(LINK)) $(if $(SHUFFLE),-Wl$(comma)--shuffle-sections='.text*=$(SHUFFLE)') \
	    $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) -L$(GATE_LIB) -lgossamer -lhwloc -o $@
$(GATE)/rows.mutant.o: benches/gate/rows.c $(B)/flags
	$(Q)$(CC) $(C_FLAGS) $(TASK_FLAGS) -DVARIANT=checked -DGATE_MUTANT -MMD -MP $(CFLAGS) -c $< -o $@

# bfd: it leaves calls of unchecked code alone, as split stacks are linked without gold or lld.
$(B)/libgcc-split: $(B)/baselines/peers/libgcc/split.c.o $(B)/benches/check_calls.checked.o
	$(call say,LINK,$@)
	$(Q)$(CC) -fuse-ld=bfd $(CFLAGS) $(LDFLAGS) $^ -o $@

$(B)/gobench: $(wildcard baselines/peers/go/bench/*)
$(B)/$(SERVER)/server-go: $(wildcard baselines/peers/go/httpserver/*)
$(B)/gobench $(B)/$(SERVER)/server-go:
	$(call say,GO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)cd $(dir $<) && GOCACHE=$(abspath $(B))/go-cache GOPROXY=off GOFLAGS= GOTOOLCHAIN=local \
	    CGO_ENABLED=0 $(GO) build -o $(abspath $@) .

define rust
$(B)/$1bench: baselines/peers/$1/Cargo.lock $(wildcard baselines/peers/$1/Cargo.toml baselines/peers/$1/src/* \
    baselines/peers/rows/Cargo.toml baselines/peers/rows/src/*)
	$$(call say,CARGO,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)cd $$(<D) && CARGO_TARGET_DIR=$$(abspath $$(B))/cargo cargo build --quiet --release --locked --offline
	$$(Q)cp $(B)/cargo/release/$$(@F) $$@
endef
$(foreach r,$(CARGO),$(eval $(call rust,$r)))
$(B)/$(SERVER)/server-tokio: $(B)/tokiobench
	@mkdir -p $(@D)
	$(Q)cp $(B)/cargo/release/$(@F) $@

$(B)/erlbench: $(wildcard baselines/peers/erlang/*)
	$(call say,ERLC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)erlc -o $(@D) $(filter %.erl,$^)
	$(Q)cp baselines/peers/erlang/$(@F) $@
$(B)/javabench: $(wildcard baselines/peers/java/*) $(wildcard baselines/peers/java/src/*)
	$(call say,JAVAC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(JAVA_HERE)/bin/javac --release 21 -nowarn -Xlint:-options -d $(@D)/java-classes $(filter %.java,$^) 2>$(@D)/javac.log || \
	    { cat $(@D)/javac.log >&2; exit 1; }
	$(Q)printf '%s\n' '$(JAVA_HERE)' >$(@D)/java-home
	$(Q)cp baselines/peers/java/$(@F) $@
# The scripts that start a server's virtual machine.
$(B)/$(SERVER)/server-erlang: $(B)/erlbench
$(B)/$(SERVER)/server-java: $(B)/javabench
$(B)/$(SERVER)/server-erlang $(B)/$(SERVER)/server-java:
	@mkdir -p $(@D)
	$(Q)cp baselines/peers/$(patsubst server-%,%,$(@F))/$(@F) $@

-include benches/programs/programs.mk

# ---- targets that run something

# For makes and compilers that tests call.
export CC CXX CFLAGS LDFLAGS SAN CHECKS SEED PYTHON ARCH EMULATOR

setup:
	@scripts/setup
setup-cross:
	@scripts/setup cross
	@scripts/cross_libs aarch64
setup-fuzz:
	@scripts/setup fuzz
setup-peers:
	@scripts/setup peers
	@for peer in tokio may; do \
	    if ! command -v cargo >/dev/null; then echo "setup-peers: no cargo here: $$peer is left out"; \
	    elif (cd baselines/peers/$$peer && cargo fetch --quiet --locked); then \
	        mkdir -p build/peers && : >build/peers/$$peer.fetched; \
	    else echo "setup-peers: the crates for $$peer cannot be fetched (above): it is left out" >&2; fi; done
	@baselines/peers/java/find-java >/dev/null || \
	    echo 'setup-peers: no JDK of version 21 or later here: Java is left out (set JAVA_HOME to one)'
FAULTS := $(if $(SAN)$(filter-out x86_64,$(ARCH)),,$(B)/fault/everything)
check: all $(FAULTS) $(SOAK)
	@MAKE='$(MAKE)' $(PYTHON) tests/run.py --build $(B) --only '$(ONLY)'
check-faults: $(FAULTS)
	@$(if $(FAULTS),,echo 'check-faults: on x86-64 and without a sanitizer, which makes calls of its own' >&2; exit 2)
	@$(PYTHON) tests/fault/sweep.py --program $< --objects $(B)/runtime --random 500 --results 'full, $(notdir $(CC))' $(if $(SEED),--seed '$(SEED)')
check-soak: $(SOAK)
	@$(PYTHON) tests/soak/soak.py --program $< --seconds 60 --period 15 $(if $(SEED),--seed '$(SEED)')
soak: $(SOAK)
	@$(PYTHON) tests/soak/soak.py --program $< --results $(if $(SEED),--seed '$(SEED)')
check-layers:
	@$(PYTHON) .ci/layers.py
	@$(PYTHON) .ci/orders.py
	@$(PYTHON) .ci/tidy.py
nightly:
	@.ci/run nightly
MEMCHECKED := chan cond context group mutex once rwmutex sem ticker waitgroup
check-valgrind:
	@+$(MAKE) PAGED=yes B=build/memcheck $(MEMCHECKED:%=build/memcheck/tests/api/test_%)
	@passed=0 failed=0; for name in $(MEMCHECKED); do \
	    if timeout 120 valgrind -q --fair-sched=try --suppressions=tests/memcheck.supp --error-exitcode=9 \
	        build/memcheck/tests/api/test_$$name >build/memcheck/log 2>&1; \
	    then passed=$$((passed + 1)); echo "ok   $$name"; \
	    else failed=$$((failed + 1)); echo "FAIL $$name"; cat build/memcheck/log; fi; \
	done; echo "$$passed passed, $$failed failed"; [ $$failed = 0 ]
fuzz:
	@$(PYTHON) scripts/fuzz.py --time '$(TIME)' --only '$(ONLY)'
check-model:
	@$(PYTHON) tests/model/check.py
bench: all programs
	@$(PYTHON) scripts/bench.py --gosbench $(B)/gosbench --profile $(PROFILE) $(if $(SEED),--seed '$(SEED)') \
	    --only '$(CASES)' --contenders '$(CONTENDERS)' --more '$(MORE)' $(if $(MOST),--most '$(MOST)')
	@+$(MAKE) plots report RESULTS=results/latest
doctor:
	@$(PYTHON) scripts/doctor.py
compare:
	@$(if $(and $(A),$(GIVEN_B)),,echo 'compare: say which: make compare A=results/x B=results/y' >&2; exit 2)
	@$(PYTHON) scripts/compare.py '$(A)' '$(GIVEN_B)' $(if $(filter 1,$(ACROSS)),--across-machines)
# A recipe that fails makes make exit with 2: the status itself is in the last line, and in build/perf/perf-check.json.
reliability:
	@$(PYTHON) scripts/reliability.py
perf-check:
	@$(PYTHON) scripts/perf_check.py --compiler '$(CC)' --base '$(BASE)' $(if $(SEED),--seed '$(SEED)')
perf-budget:
	@$(PYTHON) scripts/perf_check.py --compiler '$(CC)' --update-budget
perf-check-aa:
	@$(PYTHON) scripts/perf_aa.py --compiler '$(CC)' $(if $(RUNS),--runs '$(RUNS)')
	@$(PYTHON) scripts/perf_aa.py --write-docs
plots:
	@$(PYTHON) plots/plots.py --results $(RESULTS)
report: | $(filter plots,$(GOALS))
	@$(PYTHON) scripts/report.py --results $(RESULTS)

include scripts/install.mk

clean:
	$(Q)rm -rf build
help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(BASE_OBJ) $(BENCH_OBJ) $(PROG_OBJ)) \
    $(wildcard $(B)/$(SERVER)/*.d $(B)/baselines/peers/*/*.d)
endif
