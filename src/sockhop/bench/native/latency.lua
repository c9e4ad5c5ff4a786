-- What wrk prints at its end, as JSON: the slowest 2 % each, which it tells to scripts only, and how long each fiftieth of
-- the others took. Times are in microseconds. To ask for all of them one by one would take as long as some runs do.
done = function(summary, latency)
	local errors = summary.errors
	local slowest, left, others = {}, summary.requests * 0.02, {}
	for at = #latency, 1, -1 do
		if left <= 0 then break end
		local us, count = latency(at)
		slowest[#slowest + 1] = string.format("[%d, %d]", us, count)
		left = left - count
	end
	for part = 1, 97, 2 do
		others[#others + 1] = string.format("%d", latency:percentile(part))
	end
	io.write(string.format(
		'\n{"requests": %d, "us": %d, "bytes": %d, "errors": %d, "slowest": [%s], "others": [%s]}\n',
		summary.requests, summary.duration, summary.bytes,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout,
		table.concat(slowest, ", "), table.concat(others, ", ")))
end
