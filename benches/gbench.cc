// The C shim over Google Benchmark: see gbench.h.
#include "gbench.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

// The library prints a table to the terminal unless a reporter is given; the harness has its own output.
class Silent : public benchmark::BenchmarkReporter {
  public:
    bool ReportContext(const Context &) override { return true; }
    void ReportRuns(const std::vector<Run> &) override {}
};

benchmark::State *state_of(gb_state *state) { return reinterpret_cast<benchmark::State *>(state); }

}  // namespace

void gb_start(const char *json_file)
{
    static std::string program = "gosbench", format = "--benchmark_out_format=json", out;
    static std::vector<char *> argv = {&program[0]};
    if (json_file != nullptr) {
        out = std::string("--benchmark_out=") + json_file;
        argv.push_back(&format[0]);
        argv.push_back(&out[0]);
    }
    int argc = static_cast<int>(argv.size());
    argv.push_back(nullptr);
    benchmark::Initialize(&argc, argv.data());
    // Debian builds the library without NDEBUG, and the JSON says "library_build_type": "debug" for it.
    benchmark::AddCustomContext("library_build_type_note",
                                "about the library's own loop only: the harness takes the times itself");
}

void gb_context(const char *key, const char *value) { benchmark::AddCustomContext(key, value); }

void gb_register(const char *name, void (*fn)(gb_state *, void *), void *arg, int64_t iterations, int repetitions)
{
    benchmark::RegisterBenchmark(name, [fn, arg](benchmark::State &state) {
        fn(reinterpret_cast<gb_state *>(&state), arg);
    })->Iterations(iterations)->Repetitions(repetitions)->UseManualTime()->Unit(benchmark::kNanosecond);
}

bool gb_keep_running(gb_state *state, int64_t n) { return state_of(state)->KeepRunningBatch(n); }

void gb_set_seconds(gb_state *state, double seconds) { state_of(state)->SetIterationTime(seconds); }

void gb_counter(gb_state *state, const char *name, double value) { state_of(state)->counters[name] = value; }

void gb_skip(gb_state *state, const char *why) { state_of(state)->SkipWithError(why); }

int gb_run(void)
{
    Silent silent;
    return static_cast<int>(benchmark::RunSpecifiedBenchmarks(&silent));
}
