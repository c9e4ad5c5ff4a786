"""The honest comparison: see README.md."""
