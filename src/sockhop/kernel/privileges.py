"""Which capabilities this process has."""

from pathlib import Path

from sockhop.errors import NotPermitted

CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21
CAP_PERFMON = 38
CAP_BPF = 39

# What each is for, in the words of capabilities(7) as far as they concern us.
NEEDED = {
    CAP_BPF: ("CAP_BPF", "load BPF programs and maps"),
    CAP_PERFMON: ("CAP_PERFMON", "let them read socket structures"),
    CAP_NET_ADMIN: ("CAP_NET_ADMIN", "attach them to sockets"),
}


def missing() -> list[str]:
    """Return the names of the needed capabilities that are not effective (CAP_SYS_ADMIN implies some)."""
    status = Path("/proc/self/status").read_text()
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), 16)

    def has(capability: int) -> bool:
        implied = capability in (CAP_BPF, CAP_PERFMON) and bool(effective >> CAP_SYS_ADMIN & 1)
        return implied or bool(effective >> capability & 1)

    return [name for capability, (name, _) in NEEDED.items() if not has(capability)]


def require() -> None:
    """Raise :class:`NotPermitted` naming every missing capability."""
    lacking = missing()
    if lacking:
        uses = "; ".join(f"{name} to {use}" for name, use in NEEDED.values() if name in lacking)
        raise NotPermitted(f"this process lacks {', '.join(lacking)} ({uses}). Run it as root, e.g. with sudo.")
