"""REPORT.md's section about the server: the same blocking source on threads and on tasks, an epoll loop, Go."""
import layout
import prep_server as plot
import report_cases as cases
import rows

SERVER = """One server in plain blocking C (`benches/server/blocking.c`: accept, and for each connection a function
that reads, parses with a library, and writes), built twice: a connection's function is started by `pthread_create` in
one and by `gos_go` in the other, and nothing else differs. Beside it an epoll loop written by hand for speed, with
the same parser and the same bytes, and Go's `net/http`. The server has one CPU, the driver another: one worker, one
loop, one P. Closed loop: wrk, each connection asks again when it has its answer. The driver's counts and the
server's agree, or the row has failed. Time of the server's processor is what a request cost it, whoever was the
faster of the two."""

TAIL = """Open loop: requests at times drawn beforehand, the same rate for all, a share of what the weakest server
reached; latency counts from when a request should have been sent. A service of the machine that takes the processor
for some milliseconds once in a while decides the 99th percentile of a short run, whoever serves. So that percentile is
also taken of each span of 50 ms by itself, and the median of these spans stands in its own column; what a server does
to itself in fewer than half of the spans is in the columns of all requests."""

AIMS = (("epoll", 0.9), ("go", 1.2))
MANY = 10000
SPAN = "p99_span_ns"    # the median over spans of 50 ms: benches/server/loadgen.c


def closed_table(run):
    lines = []
    for name in run.of_case("server"):
        for n in run.sizes("server", contender=name, variant="closed"):
            found = [plot.cost(run, name, "closed", n, metric) for metric in
                     ("requests_per_s", "p50_ns", "p99_ns", "p999_ns", "cpu_ns_per_op")]
            if found[0]:
                memory = [plot.cost(run, name, "closed", n, metric) for metric in rows.MEMORY_PARTS]
                bytes_each = sum(part.median for part in memory) / n if all(memory) else None
                lines.append([cases.name_of(name), f"{n:,}", cases.interval(found[0], cases.whole)]
                             + [layout.nanoseconds(value.median) for value in found[1:]]
                             + [cases.whole(bytes_each) if n == MANY and bytes_each else "–"])
    return cases.markdown(["contender", "connections", "requests/s", "median", "99 %", "99.9 %",
                           "processor time a request", "bytes per connection"], lines, 1) if lines else ""


def peak_ratios(run):
    """{other: Estimate of gossamer's rate over its, at the connections where all were measured most often}."""
    found = {}
    for other, aim in AIMS:
        for n in run.sizes("server", variant="closed"):
            pair = [run.per_launch("server", contender=name, variant="closed", n=n, metric="requests_per_s")
                    for name in (other, rows.US)]
            if all(pair):
                ratio = cases.ratio(*pair)
                if ratio:
                    found[other, aim, n] = ratio
    return found


def rate_verdict(run):
    """At least nine tenths of the loop's rate, and 1.2 times Go's."""
    text = []
    for other, aim in AIMS:
        found = {n: ratio for (name, _, n), ratio in peak_ratios(run).items() if name == other}
        if found:
            words = "; ".join(f"{n:,} connections {cases.times(ratio)}" for n, ratio in found.items())
            text.append(cases.reached(all(ratio.median >= aim for ratio in found.values()),
                                f"gossamer's requests per second over those of {rows.label(other)}: {words}; "
                                f"the aim is at least {aim:g}"))
    return "\n\n".join(text)


def open_table(run):
    lines = []
    for variant in plot.open_variants(run):
        for name in run.of_case("server"):
            for n in run.sizes("server", contender=name, variant=variant):
                found = [plot.cost(run, name, variant, n, metric) for metric in
                         ("p50_ns", SPAN, "p99_ns", "p999_ns", "cpu_ns_per_op")]
                if found[0]:
                    lines.append([cases.name_of(name), f"{plot.rate_of(run, variant):,}"]
                                 + [cases.duration(value) if value else "–" for value in found])
    return cases.markdown(["contender", "requests/s asked", "median", "99 % of a span", "99 % of all", "99.9 %",
                           "processor time a request"], lines, 1) if lines else ""


def tail_verdict(run):
    """p99 no worse than the loop's and Go's, by more than what the run resolves."""
    text = []
    for variant in plot.open_variants(run):
        found = {}
        for other, _ in AIMS:
            pair = [run.per_launch("server", contender=name, variant=variant, metric=SPAN)
                    for name in (other, rows.US)]
            if all(pair):
                found[other] = cases.ratio(*pair)
        if found:
            words = [f"{cases.times(ratio)} of {rows.label(other)}'s" for other, ratio in found.items()]
            met = all(ratio.high <= 1 + cases.resolution(run, ratio.n) for ratio in found.values())
            if not met and all(ratio.low <= 1 + cases.resolution(run, ratio.n) for ratio in found.values()):
                met = None
            text.append(cases.reached(met, f"at {plot.rate_of(run, variant):,} requests/s gossamer's 99th percentile "
                                      f"of a span is {' and '.join(words)}; the aim is no more than 1"))
    return "\n\n".join(text)


def sections(run, figure):
    """(title, case, words, parts) of each section, as report.py puts them together."""
    return [("C3: the same blocking server on threads and on tasks", "server", SERVER,
             [figure("server", "Requests per second and 99th percentile of latency against connections."),
              cases.Long("The server: every number of connections", closed_table(run)), rate_verdict(run),
              TAIL if plot.open_variants(run) else "",
              figure("server-tail", "Quantiles of latency at equal rates, open loop; span: median of spans of 50 ms."),
              cases.Long("The server at equal rates", open_table(run)),
              tail_verdict(run), cases.notes(run, ["server"])])]
