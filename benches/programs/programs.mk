# Real programs in the builds that README.md here compares. Only those whose source is there: `make setup-programs`.

PROGRAMS_DIR    := build/programs
PROGRAM_BUILDS  := plain checks wrapped tasks
# clang cannot compile variadic functions with checks, which most of these have.
PROGRAMS_THERE  := $(if $(SAN)$(findstring clang,$(notdir $(CC))),,$(foreach p,sqlite lua quickjs expat,$(if $(wildcard $(PROGRAMS_DIR)/$p),$p)) \
                   $(if $(wildcard /usr/include/stb/stb_image.h),stb))
PROGRAM_EXES    := $(foreach p,$(PROGRAMS_THERE),$(PROGRAM_BUILDS:%=$(B)/programs/$p-%))

program_src_sqlite  := sqlite3.c
program_src_lua     := $(filter-out lua.c luac.c ltests.c onelua.c,$(notdir $(wildcard $(PROGRAMS_DIR)/lua/*.c)))
program_src_quickjs := quickjs.c libregexp.c libunicode.c dtoa.c
program_src_expat   := xmlparse.c xmltok.c xmlrole.c
program_src_stb     :=
# What their own build systems define.
program_def_lua     := -DLUA_USE_LINUX
program_def_quickjs := -D_GNU_SOURCE -DNDEBUG
program_def_expat   := -DHAVE_MEMMOVE -DXML_NS -DXML_DTD -DXML_CONTEXT_BYTES=1024 -DBYTEORDER=1234 -DXML_STATIC

# Where its functions lie can change a program's time by more than the checks do: so each build is linked in so many
# orders of its functions as well, NAME.1 ..., drawn by that number, without symbols (scripts/bench_programs.py).
PROGRAM_LAYOUTS := 1 2 3 4 5 6 7 8 9 10 11 12
PROGRAM_EXES    += $(foreach e,$(PROGRAM_EXES),$(PROGRAM_LAYOUTS:%=$e.%))
program_layout  := -Wl,-s -Wl,--shuffle-sections='.text.*='

# The same flags throughout, but for the checks; on other people's code no warnings. The objects of `checks` are those
# of `wrapped` without the note by which the linker tells checked code: so it leaves them as they are.
PROGRAM_FLAGS := -std=gnu17 -w -pthread -ffunction-sections $(filter-out $(CHECKED),$(TASK_FLAGS))
program_flags_plain   :=
program_flags_checks  := $(CHECKED)
program_flags_wrapped := $(CHECKED)
program_flags_tasks   := $(CHECKED) -DTASKS
program_link_wrapped  := -Wl,@$(WRAP)
program_link_tasks    := -Wl,@$(WRAP)

# $1 program, $2 build, $3 the build whose objects it shares
define program_rules
program_objs_$1_$2 := $(patsubst %.c,$(B)/programs/$1-$3.o/%.o,$(program_src_$1) driver.c) $(B)/programs/$1-$2.o/main.o
$(B)/programs/$1-$2 $(PROGRAM_LAYOUTS:%=$(B)/programs/$1-$2.%): $$(program_objs_$1_$2) $(LIB) $(WRAP)
	$(call say,LINK,$$@)
	$(Q)$(CC) -fuse-ld=lld -Wl,-z,now -pthread $(program_link_$2) $$(patsubst .%,$$(program_layout)%,$$(suffix $$@)) \
	    $(CFLAGS) $(LDFLAGS) $$(program_objs_$1_$2) -L$(B) -lgossamer -lhwloc -lm -o $$@
$(B)/programs/$1-$2.o/%.o: $(PROGRAMS_DIR)/$1/%.c $(B)/flags benches/programs/programs.mk
	$(call say,CC,'$$< ($2)')
	@mkdir -p $$(@D)
	$(Q)$(CC) $(PROGRAM_FLAGS) $(program_def_$1) $(program_flags_$2) $(CFLAGS) -c $$< -o $$@
	$(Q)$(if $(filter checks,$2),objcopy -R .note.GNU-split-stack $$@)
$(B)/programs/$1-$2.o/driver.o: benches/programs/$1.c
$(B)/programs/$1-$2.o/main.o: benches/programs/main.c
$(B)/programs/$1-$2.o/driver.o $(B)/programs/$1-$2.o/main.o: benches/programs/program.h benches/programs/programs.mk \
    $(B)/flags
	$(call say,CC,'$$(filter %.c,$$^) ($2)')
	@mkdir -p $$(@D)
	$(Q)$(CC) $(PROGRAM_FLAGS) $(WARN) -Iruntime/include -isystem $(PROGRAMS_DIR)/$1 $(program_flags_$2) \
	    $(CFLAGS) -c $$(filter %.c,$$^) -o $$@
	$(Q)$(if $(filter checks,$2),objcopy -R .note.GNU-split-stack $$@)
endef
$(foreach p,$(PROGRAMS_THERE),$(foreach b,plain checks wrapped,$(eval $(call program_rules,$p,$b,$b))) \
    $(eval $(call program_rules,$p,tasks,wrapped)))

.PHONY: programs setup-programs
programs: $(PROGRAM_EXES)
setup-programs:
	@scripts/setup-programs
