-- What wrk prints at its end, as JSON: it tells p99.9 to scripts only. Times are in microseconds.
done = function(summary, latency)
	local errors = summary.errors
	io.write(string.format(
		'\n{"requests": %d, "us": %d, "bytes": %d, "errors": %d, "p50": %d, "p99": %d, "p99.9": %d, "max": %d}\n',
		summary.requests, summary.duration, summary.bytes,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout,
		latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
