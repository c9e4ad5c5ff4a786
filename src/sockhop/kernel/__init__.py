"""The only door to the kernel: system calls, libbpf, BPF objects, cgroups, namespaces."""
