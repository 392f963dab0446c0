-- What wrk counted and measured, as one line of JSON.
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('{"answered": %d, "took_us": %d, "p50_us": %d, "p99_us": %d, "p999_us": %d, "errors": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
        e.connect + e.read + e.write + e.status + e.timeout))
end
