"""Test suites that nobody here wrote: under sockhop they must end as on plain TCP, test by test."""
