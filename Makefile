# SPDX-License-Identifier: MIT
# One file, no recursion into folders, no configure.  `make help` lists the jobs.
# Everything built goes under build/; variants (VARIANT=debug, asan, …) never mix.
# CC, CXX, CFLAGS, CXXFLAGS, LDFLAGS, PREFIX, DESTDIR are the user's.

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

VARIANT ?= release
CFLAGS  ?= -O2 -g
CXXFLAGS ?= -O2 -g
PREFIX  ?= /usr/local
B       := build/$(VARIANT)
VERSION := $(shell awk '/define ACRE_VERSION_(MAJOR|MINOR|PATCH)/{v=v s $$3; s="."} END{print v}' include/acre/base.h)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# ---- flags ----
FLAGS_release  := -DNDEBUG
FLAGS_debug    := -O0 -g -DACRE_CHECKED
FLAGS_release-clang := $(FLAGS_release)
FLAGS_debug-clang   := $(FLAGS_debug)
FLAGS_asan     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DACRE_CHECKED
FLAGS_asan-clang := $(FLAGS_asan) -D__SANITIZE_ADDRESS__=1
FLAGS_tsan     := -O1 -g -fsanitize=thread
FLAGS_coverage := -O0 -g --coverage
# Any seeded bug, chosen by the environment; the library as it is built has none.
FLAGS_bugs     := -DNDEBUG -DACRE_BUG=acre__bug
FLAGS_fuzz     := -O2 -g -fno-sanitize-recover=all -fsanitize=fuzzer-no-link,address,undefined -DNDEBUG
WARN     := -Wall -Wextra -Wshadow $(if $(CI),-Werror)
WARN_C   := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
COMMON   := -D_GNU_SOURCE -fPIC -Iinclude -I. -MMD -MP
ALL_CFLAGS   = -std=gnu11 $(COMMON) $(WARN_C) $(CFLAGS) $(FLAGS_$(VARIANT))
# Checks of vptrs, and clang's of function types, need a C++ runtime in the program, and the baseline is
# loaded into C programs.
ALL_CXXFLAGS = -std=c++17 $(COMMON) $(WARN) $(CXXFLAGS) $(FLAGS_$(VARIANT)) \
               $(if $(findstring undefined,$(FLAGS_$(VARIANT))),-fno-sanitize=vptr $(if $(findstring clang,$(CXX)),-fno-sanitize=function))
ALL_LDFLAGS  = $(LDFLAGS) $(filter -fsanitize=% --coverage,$(FLAGS_$(VARIANT)))
DEFINES = -DACRE_DATADIR='"$(CURDIR)/plots"' -DACRE_COMMIT='"$(COMMIT)"' \
          -DACRE_BUILD='"$(notdir $(CC)) $(strip $(CFLAGS) $(FLAGS_$(VARIANT)))"'
LAB_LIBS := -lzstd -ljansson -lm -ldl -lpthread

# ---- sources, by wildcard: adding a file is enough ----
LIB_SRC    := $(wildcard sync/*.c alloc/*.c segment/*.c) $(if $(filter bugs,$(VARIANT)),tests/bug_switch.c)
LAB_SRC    := $(wildcard traces/*.c bench/*.c bench/patterns/*.c)
RECORD_SRC := $(wildcard traces/record/*.c)
CLI_SRC    := $(wildcard cli/*.c)
MICRO_SRC  := $(wildcard bench/micro/*.c)
SYNC_BENCH_SRC := $(wildcard bench/sync/*.c)
TEST_SRC   := $(wildcard tests/test_*.c)
SUPPORT_SRC := $(wildcard tests/support*.c)
CRASH_SRC  := $(wildcard tests/crash/*.c)
SOAK_SRC   := $(wildcard tests/soak/*.c)
EXAMPLE_SRC := $(wildcard examples/*.c)
obj = $(patsubst %.c,$B/%.o,$(1))
LIB_OBJ := $(call obj,$(LIB_SRC))
TESTS    := $(if $(T),$(T:%=$B/tests/test_%),$(TEST_SRC:%.c=$B/%))
EXAMPLES := $(EXAMPLE_SRC:%.c=$B/%)
HAVE_BOOST := $(wildcard /usr/include/boost/interprocess/managed_external_buffer.hpp)
HAVE_GBENCH := $(wildcard /usr/include/benchmark/benchmark.h)

PRODUCTS := $B/libacre.a $B/libacre.so $B/acre $B/libacre_record.so \
            $(if $(HAVE_BOOST),$B/libacre_boost.so $B/libacre_boost_sync.so) \
            $(if $(HAVE_GBENCH),$B/acre-bench $B/bench-sync)

# Short lines; V=1 shows the commands.
comma := ,
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$@' &&) $(2)

.DEFAULT_GOAL := all
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all deps-build deps-test deps-compare test check examples layers headers-check format \
        check-asan check-asan-clang check-tsan check-valgrind fuzz coverage compare bench bench-sync growth names procs plots \
        traces install clean help crash crash-sync soak explore models bugs bugs-variant fast-path

# ---- the jobs of a newcomer ----
# HELD_OUT=1: the traces on which nothing was tuned, into build/held-out/.
compare: deps-compare  ## main job: replay the bundled traces on everything, rank, write build/report/ (HELD_OUT=1)
	@$(MAKE) --no-print-directory all
	build/acre compare $(if $(QUICK),--quick) -o build/$(if $(HELD_OUT),held-out,report) $(ARGS) $(if $(HELD_OUT),traces/held-out/*.acr)

test: deps-test  ## install what is missing, build, pass every test
	@$(MAKE) --no-print-directory all check

all: $(PRODUCTS)  ## build build/acre, build/libacre.a, build/libacre.so (VARIANT=release)
ifeq ($(VARIANT),release)
	@for f in $(notdir $(PRODUCTS)); do ln -sf release/$$f build/$$f; done
endif

# ---- packages, by what needs them ----
PACKAGES_BUILD := gcc g++ libc6-dev libzstd-dev libjansson-dev
PACKAGES_BASELINES := libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 libboost-dev
PACKAGES_TEST := $(PACKAGES_BUILD) $(PACKAGES_BASELINES) libcriterion-dev libbenchmark-dev gnuplot-nox fonts-dejavu-core git
PACKAGES_COMPARE := $(PACKAGES_BUILD) $(PACKAGES_BASELINES) libbenchmark-dev gnuplot-nox fonts-dejavu-core

deps-build:
	@tools/install-packages.sh $(PACKAGES_BUILD)
deps-test:
	@tools/install-packages.sh $(PACKAGES_TEST)
deps-compare:
	@tools/install-packages.sh $(PACKAGES_COMPARE)

# ---- compiling ----
$B/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$(CC) $(ALL_CFLAGS) $(if $(filter cli/% bench/%,$<),$(DEFINES)) -c $< -o $@)

$B/%.o: %.cc
	@mkdir -p $(@D)
	$(call say,CXX,$(CXX) $(ALL_CXXFLAGS) -c $< -o $@)

$(LIB_OBJ): ALL_CFLAGS += -fvisibility=hidden

$B/libacre.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR,$(AR) rcs $@ $^)

$B/libacre.so: $(LIB_OBJ)
	$(call say,LD,$(CC) -shared -Wl$(comma)-soname$(comma)libacre.so.$(MAJOR) $(ALL_LDFLAGS) $^ -o $@ -lpthread)
	@ln -sf libacre.so $B/libacre.so.$(MAJOR)

$B/libacre_lab.a: $(call obj,$(LAB_SRC))
	@rm -f $@
	$(call say,AR,$(AR) rcs $@ $^)

# The recorder is preloaded into strangers: optimised and without sanitizers in every variant.
RECORD_CFLAGS := -std=gnu11 $(COMMON) $(WARN_C) -O2 -g -fvisibility=hidden -ftls-model=initial-exec
$B/libacre_record.so: $(RECORD_SRC) $(wildcard traces/*.h traces/record/*.h)
	@mkdir -p $(@D)
	$(call say,LD,$(CC) $(filter-out -MMD -MP,$(RECORD_CFLAGS)) -shared $(RECORD_SRC) -o $@ -ldl -lpthread)

$B/libacre_boost.so: $B/bench/boost.o $B/bench/boost_walk.o $B/bench/boost_names.o
	$(call say,LD,$(CXX) -shared $(ALL_LDFLAGS) $^ -o $@ -lpthread)

$B/libacre_boost_sync.so: $B/bench/boost_sync.o
	$(call say,LD,$(CXX) -shared $(ALL_LDFLAGS) $^ -o $@ -lpthread -lrt)

$B/acre: $(call obj,$(CLI_SRC)) $B/libacre_lab.a $B/libacre.a
	$(call say,LD,$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LAB_LIBS))

$B/acre-bench: $(call obj,$(MICRO_SRC)) $B/bench/gbench.o $B/libacre_lab.a $B/libacre.a
	$(call say,LD,$(CXX) $(ALL_LDFLAGS) $^ -o $@ -lbenchmark $(LAB_LIBS))

$B/bench-sync: $(call obj,$(SYNC_BENCH_SRC)) $B/bench/gbench.o $B/libacre_lab.a $B/libacre.a
	$(call say,LD,$(CXX) $(ALL_LDFLAGS) $^ -o $@ -lbenchmark $(LAB_LIBS) -lrt)

$B/tests/test_%: $B/tests/test_%.o $(call obj,$(SUPPORT_SRC)) $B/libacre_lab.a $B/libacre.a
	$(call say,LD,$(CC) $(ALL_LDFLAGS) -Wl$(comma)-z$(comma)now $^ -o $@ -lcriterion $(LAB_LIBS))

$B/tests/test_crash: | $B/crash

# The same bodies under a plain runner, for TSan, which Criterion does not survive.
$B/plain/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC,$(CC) $(ALL_CFLAGS) -DACRE_TEST_PLAIN -c $< -o $@)
$B/plain/test_%: $B/plain/test_%.o $(SUPPORT_SRC:tests/%.c=$B/plain/%.o) $B/libacre_lab.a $B/libacre.a
	$(call say,LD,$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LAB_LIBS))

# The schedule explorer: sync/ with other atomics; its coroutines and sanitizers do not go together.
explore_obj = $(patsubst %.c,$B/explore/%.o,$(wildcard $(1)))
EXPLORE_CFLAGS := -std=gnu11 $(COMMON) $(WARN_C) -O2 -g -U_FORTIFY_SOURCE \
                  -DACRE_EXPLORE='"tests/explore/atomic_explore.h"'
$B/explore/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$(CC) $(EXPLORE_CFLAGS) -c $< -o $@)
$B/explore/libsync.a: $(call explore_obj,sync/*.c)
	@rm -f $@
	$(call say,AR,$(AR) rcs $@ $^)
$B/tests/explore: $(call explore_obj,tests/explore/*.c) $B/explore/libsync.a
	@mkdir -p $(@D)
	$(call say,LD,$(CC) $^ -o $@ -lpthread)
$B/tests/test_explore: | $B/tests/explore

# The crash laboratory for heaps; victims find every function bound, so that none steps through the linker.
$B/tests/crash/%.o: ALL_CFLAGS += -DCRASH_LEVEL='"$(lastword $(filter -O%,$(CFLAGS) $(FLAGS_$(VARIANT))))"'
$B/crash: $(call obj,$(CRASH_SRC)) $B/libacre.a
	$(call say,LD,$(CC) $(ALL_LDFLAGS) -Wl$(comma)-z$(comma)now $^ -o $@ $(LAB_LIBS))

# Processes that come and go, for long.
$B/soak: $(call obj,$(SOAK_SRC)) $B/libacre.a
	$(call say,LD,$(CC) $(ALL_LDFLAGS) $^ -o $@ $(LAB_LIBS))
$B/tests/test_soak: | $B/soak

$B/examples/%: $B/examples/%.o $B/libacre.a
	$(call say,LD,$(CC) $(ALL_LDFLAGS) $^ -o $@ -lpthread)

# ---- tests ----
check: $(PRODUCTS) $(TESTS) examples layers headers-check  ## run the tests (VARIANT=…, T=name for one file)
	@tools/run-tests.sh $(B) $(TESTS)

examples: $(EXAMPLES)  ## build the examples and run them
	@for e in $(EXAMPLES); do $$e >$$e.out 2>&1 || { cat $$e.out; echo "$$e failed"; exit 1; }; done

crash:  ## kill users of heaps at every instruction: build/crash.json (A=name,name, QUICK=1, ARGS=…)
	@tools/install-packages.sh $(PACKAGES_BUILD) $(if $(QUICK),,clang)
ifdef QUICK
	@$(MAKE) --no-print-directory VARIANT=release crash-variant
else
	@$(if $(A)$(ARGS),,rm -f build/crash.json)
	@for v in release debug; do \
	    $(MAKE) --no-print-directory VARIANT=$$v crash-variant && \
	    $(MAKE) --no-print-directory VARIANT=$$v-clang CC=clang crash-variant || exit 1; done
endif
.PHONY: crash-variant
crash-variant: $B/crash
	@$B/crash $(if $(QUICK),--quick) $(if $(A),-a $(A)) --json build/crash.json $(ARGS)

soak: deps-build  ## one heap whose users come, go and are killed: build/soak.json (OPS=1000000000, A=SPEC, ARGS=…)
	@$(MAKE) --no-print-directory $B/soak
	@$B/soak -n $(or $(OPS),1000000000) -a $(or $(A),sharded) -j build/soak.json $(ARGS)

# The programs that tests/bugs.def names.
BUG_TESTS := $(shell awk -F'|' '$$1 + 0 {split($$4, t, " "); print t[1]}' tests/bugs.def | sort -u)
bugs:  ## seed bugs, each of which its test must catch: build/bugs.json (N='7 12')
	@tools/install-packages.sh $(PACKAGES_TEST)
	@$(MAKE) --no-print-directory VARIANT=bugs bugs-variant
bugs-variant: $(patsubst %,$B/%,$(patsubst test_%,tests/test_%,$(BUG_TESTS)))
	@tools/check-bugs.sh $B $N

CRASH_SYNC := sync_lab sync_step sync_step_rw sync_step_messages sync_step_named sync_kill \
              sync_kill_messages sync_boost shared_step shared_kill
crash-sync:  ## the laboratory in full: 20,000 kills a primitive, each instruction, of -O0 code too
	@rm -f $B/sync-kills.json
	@ACRE_KILLS=$${ACRE_KILLS:-340000} ACRE_ALL_STEPS=1 $(MAKE) --no-print-directory check T="$(CRASH_SYNC)"
	@ACRE_ALL_STEPS=1 $(MAKE) --no-print-directory VARIANT=debug check T="$(filter sync_step%,$(CRASH_SYNC))"

# Without what builds programs of its own, and so no sanitized ones, or caps address space; clang's turn
# also without deaths, which take long and meet the same instructions of the library as gcc's.
NAMES := $(TEST_SRC:tests/test_%.c=%)
# Single steps of slower code take too long: the four meet the same functions in their other tests.
ASAN_TESTS := $(filter-out explore newcomer recovery object_look object_step shared_step tx_step,$(NAMES))
ASAN_CLANG_TESTS := $(filter-out $(CRASH_SYNC) step kill crash% soak shared_kill shared_damage tx_kill snapshot_work create offline,$(ASAN_TESTS))
check-asan:  ## the tests under address and undefined-behaviour sanitizers
	@ACRE_KILLS=$${ACRE_KILLS:-1600} $(MAKE) --no-print-directory VARIANT=asan check T="$(or $(T),$(ASAN_TESTS))"
check-asan-clang:  ## the same with clang, but for the deaths
	@$(MAKE) --no-print-directory VARIANT=asan-clang CC=clang CXX=clang++ check T="$(or $(T),$(ASAN_CLANG_TESTS))"
RINGS := spsc bytes mpmc broadcast ring
PRIMITIVES := mutex mutex_death condition semaphore barrier wait_any
check-valgrind: $(PRODUCTS) $(TESTS)  ## the tests of alloc, segment and sync under valgrind
	@RUNNER="valgrind -q --error-exitcode=9 --trace-children=yes --child-silent-after-fork=yes" \
	 FILTER='!(*_checks2|*_checks3|*_plain)/*' \
	 tools/run-tests.sh $(B) $(filter %/test_alloc %/test_segment %/test_sync $(addprefix %/test_,$(PRIMITIVES)) %/test_queue %/test_queue_model $(addprefix %/test_,$(RINGS)),$(TESTS))
check-tsan:  ## the concurrent tests under the thread sanitizer, plain runner
	@$(MAKE) --no-print-directory VARIANT=tsan plain
.PHONY: plain
plain: $(addprefix $B/plain/test_,$(or $(T),sync $(PRIMITIVES) rw named file_lock queue queue_model queue_shared $(RINGS) concurrent sharded shared replay_together object_shared tx))
	@for t in $^; do $$t || exit 1; done

# Naps are left out: nobody else uses the image, so that there is nobody to wait for.
$B/fuzz_segment: $(call obj,tests/fuzz_segment.c $(wildcard tests/support_hostile*.c)) $B/libacre.a
	$(call say,LD,$(CC) -fsanitize=fuzzer$(comma)address$(comma)undefined -Wl$(comma)--wrap=syscall$(comma)--wrap=nanosleep $^ -o $@ -lpthread)

FUZZ_SECONDS ?= 60
FUZZ_RUNS ?= 1000000
fuzz: fuzz-trace fuzz-segment  ## hostile traces and segments, by libFuzzer (clang): FUZZ_SECONDS=60, FUZZ_RUNS=1000000
.PHONY: fuzz-trace fuzz-segment
fuzz-segment:
	@tools/install-packages.sh $(PACKAGES_BUILD) clang libclang-rt-14-dev
	@mkdir -p build/fuzz/segments
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang build/fuzz/fuzz_segment
	build/fuzz/fuzz_segment -runs=$(FUZZ_RUNS) -timeout=10 -rss_limit_mb=2048 -max_len=32768 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/ build/fuzz/segments
fuzz-trace:
	@tools/install-packages.sh $(PACKAGES_BUILD) clang libclang-rt-14-dev
	@mkdir -p build/fuzz/corpus && cp tests/data/golden.* build/fuzz/corpus/ 2>/dev/null || true
	clang -std=gnu11 -D_GNU_SOURCE -g -O1 -I. -Iinclude -fsanitize=fuzzer,address,undefined \
	    tests/fuzz_trace.c traces/*.c -o build/fuzz/trace -lzstd -lpthread
	build/fuzz/trace -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 build/fuzz/corpus
coverage:  ## lines and branches that the tests reach (gcovr): build/coverage.txt
	@tools/install-packages.sh $(PACKAGES_TEST) gcovr
	@$(MAKE) --no-print-directory VARIANT=coverage check
	gcovr -r . --object-directory build/coverage -e 'tests/.*' -e 'build/.*' --txt build/coverage.txt && tail -n 4 build/coverage.txt

explore: $B/tests/explore  ## run small programs on sync/ under every schedule, with deaths (G=group)
	$B/tests/explore $(G)

models:  ## check the protocols' models with Spin, deaths at any step (M=model)
	@tools/install-packages.sh gcc libc6-dev spin
	@tools/check-models.sh $(M)

fast-path: $B/alloc/sharded.o  ## count the instructions of the ways that nearly all calls of sharded go
	@tools/check-fast-path.sh $<
layers:  ## check who includes whom
	@tools/check-layers.sh
headers-check:  ## each public header alone, as C and as C++
	@for h in include/acre.h include/acre/*.h; do \
	    $(CC) -std=c11 -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c $$h && \
	    $(CXX) -std=c++11 -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ $$h || exit 1; done
format:  ## clang-format all sources in place
	@git ls-files '*.c' '*.h' '*.cc' | xargs clang-format -i

# ---- measuring ----
bench: deps-compare  ## micro benchmarks (Google Benchmark); JSON in build/bench.json; ARGS=--benchmark_filter=…
	@$(MAKE) --no-print-directory all
	build/acre-bench --benchmark_out=build/bench.json --benchmark_out_format=json $(ARGS)
growth: deps-compare  ## alloc + free against live blocks, 10² … 10⁷, into the report (QUICK=1: 10⁵; ARGS=…)
	@$(MAKE) --no-print-directory all
	@mkdir -p build/report
	build/acre growth --json $(if $(QUICK),--max 1e5 --budget 2,--max 1e7) $(ARGS) > build/report/growth.part
	mv build/report/growth.part build/report/growth.jsonl
	@test ! -f build/report/results.jsonl || build/acre report -q build/report
procs: deps-compare  ## all patterns, everybody, 1 to 4 processes, with pictures, into the report (QUICK=1; ARGS=…)
	@$(MAKE) --no-print-directory all
	@mkdir -p build
	build/acre procs -a all -P all -p $(if $(QUICK),1$(comma)2,1$(comma)2$(comma)4) --seconds $(if $(QUICK),0.1,0.5) -o build/report $(ARGS)
	@test ! -f build/report/results.jsonl || build/acre report -q build/report
names: deps-compare  ## objects by name beside Boost's and std::unordered_map, into the report (QUICK=1; ARGS=…)
	@$(MAKE) --no-print-directory all
	@mkdir -p build/report
	build/acre-bench --benchmark_filter='^names/' --benchmark_enable_random_interleaving=true \
	    --benchmark_repetitions=$(if $(QUICK),2,5) --benchmark_min_time=$(if $(QUICK),0.02,0.1) \
	    --benchmark_display_aggregates_only=true \
	    --benchmark_out=build/names.json --benchmark_out_format=json $(ARGS)
	build/acre report-names -o build/report build/names.json
	@test ! -f build/report/results.jsonl || build/acre report -q build/report
bench-sync: deps-compare  ## every lock, queue and ring beside its peers: build/report/sync.html (QUICK=1; ARGS=…)
	@$(MAKE) --no-print-directory all
	build/bench-sync --benchmark_enable_random_interleaving=true \
	    --benchmark_repetitions=$(if $(QUICK),2,5) --benchmark_min_time=$(if $(QUICK),0.02,0.05) \
	    --benchmark_display_aggregates_only=true \
	    --benchmark_out=build/bench-sync.json --benchmark_out_format=json $(ARGS)
	@mkdir -p build/report
	build/acre report-sync -o build/report -k build/release/sync-kills.json build/bench-sync.json
	@test ! -f build/report/results.jsonl || build/acre report -q build/report
plots:  ## draw the last comparison's pictures and report again
	build/acre report --png build/report
	@test ! -f build/bench-sync.json || build/acre report-sync -q --png -o build/report build/bench-sync.json
traces:  ## record the bundled and the held out traces anew (replaces traces/*.acr, traces/held-out/*.acr)
	@$(MAKE) --no-print-directory all
	tools/make-traces.sh

# ---- installing ----
install: all  ## install headers, libraries and tools below PREFIX
	install -d $(DESTDIR)$(PREFIX)/include/acre $(DESTDIR)$(PREFIX)/lib/acre/plots $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 include/acre.h $(DESTDIR)$(PREFIX)/include
	install -m 644 include/acre/*.h $(DESTDIR)$(PREFIX)/include/acre
	install -m 644 $B/libacre.a $(DESTDIR)$(PREFIX)/lib
	install -m 755 $B/libacre.so $(DESTDIR)$(PREFIX)/lib/libacre.so.$(VERSION)
	ln -sf libacre.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libacre.so.$(MAJOR)
	ln -sf libacre.so.$(MAJOR) $(DESTDIR)$(PREFIX)/lib/libacre.so
	install -m 755 $B/acre $(DESTDIR)$(PREFIX)/bin
	install -m 755 $B/libacre_record.so $(if $(HAVE_BOOST),$B/libacre_boost.so) $(DESTDIR)$(PREFIX)/lib/acre
	install -m 644 plots/* $(DESTDIR)$(PREFIX)/lib/acre/plots
	printf 'prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\nName: acre\nDescription: heaps in shared memory\nVersion: %s\nLibs: -L$${libdir} -lacre\nLibs.private: -lpthread\nCflags: -I$${includedir}\n' \
	    '$(PREFIX)' '$(VERSION)' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/acre.pc
clean:  ## delete build/
	rm -rf build
help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell find $B -name '*.d' 2>/dev/null)
