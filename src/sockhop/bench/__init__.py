"""``sockhop bench``: TCP, hops, redirect and Unix sockets side by side, in one run. See docs/benchmarks.md."""
