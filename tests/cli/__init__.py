"""The command line, as its users run it: real processes, and a kernel of which they see a private part."""
