"""Tests of the benchmarks that measure something, or need a browser."""
