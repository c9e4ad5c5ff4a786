"""Kernels of Debian, each booted under QEMU with this checkout inside: `make vmtest`."""
