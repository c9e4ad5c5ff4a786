"""The version, for the package's metadata and for what it prints."""

__version__ = "0.1.0"
