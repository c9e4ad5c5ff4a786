"""What the kernel holds for many sockets.

Socket structures, psocks, socket storage and map elements are slab objects. /proc/meminfo would give their sum,
but with all that other programs and the connections of earlier tests (TIME_WAIT) take and give back meanwhile. So
only a slab cache that grew by an object for every other connection, at least, counts: what a connection costs is
in such caches, but for half a small object in others. The caches of file systems are left out: any program that
looks into /proc fills them, and hops need none. What BPF and the network stack hold in vmalloc and percpu memory
is added. Payload in flight may be in pages that nothing counts: the measured sockets are idle and have none.
"""

from dataclasses import dataclass
from pathlib import Path

_FILE_SYSTEMS = ("dentry", "proc_inode_cache", "lsm_inode_cache", "buffer_head")


@dataclass(frozen=True)
class Memory:
    """A look at the kernel's memory; bytes."""

    slabs: dict[str, tuple[int, int]]  # by cache: objects in use, bytes of each
    other: int

    def since(self, before: "Memory", connections: int) -> float:
        """Bytes that each of so many connections, made since the look `before`, took."""
        grown = self.other - before.other
        for cache, (objects, size) in self.slabs.items():
            more = objects - before.slabs.get(cache, (0, size))[0]
            if more >= connections / 2:
                grown += more * size
        return grown / connections


def look() -> Memory:
    """Look, after free objects of earlier tests have been given back."""
    for cache in Path("/sys/kernel/slab").glob("*/shrink"):
        cache.write_text("1")
    slabs = {}
    for line in Path("/proc/slabinfo").read_text().splitlines()[2:]:
        name, objects, _, size, *_ = line.split()
        if name not in _FILE_SYSTEMS:
            slabs[name] = int(objects), int(size)
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    other = sum(int(fields[name].split()[0]) * 1024 for name in ("VmallocUsed", "Percpu"))
    return Memory(slabs, other)
