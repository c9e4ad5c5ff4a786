"""Conformance: each case runs on plain TCP and then hopped, and both must observe the same."""
