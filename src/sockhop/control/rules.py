"""The rules of a configuration: which ends they match, and what becomes of those."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sockhop.control import matchers, toml_lines
from sockhop.control.document import Document
from sockhop.control.matchers import Network, Ports, mapped
from sockhop.kernel.abi import MAX_RULES, Action, Role

_READERS = {
    "action": matchers.action,
    "port": matchers.port,
    "cgroup": matchers.cgroup,
    "unit": matchers.unit,
    "address": matchers.address,
    "role": matchers.role,
}
KEYS = tuple(_READERS)


@dataclass(frozen=True)
class Rule:
    """One rule; a matcher that is empty or None matches every end.

    :param action: ``LEARNED``: as was learned of its class; ``ALWAYS``: it hops from its first connection on;
        ``NEVER``: it stays on the stack.
    :param port: ranges of ports of the server, first and last.
    :param cgroup: the end's socket was made in this cgroup or below it,
    :param unit: or in that of this systemd unit.
    :param address: holds the address of either end.
    :param role: which end it is.
    :param line: where the rule begins.
    """

    action: Action
    port: Ports = ()
    cgroup: Path | None = None
    unit: str | None = None
    address: Network | None = None
    role: Role | None = None
    line: int = field(default=0, compare=False)

    def covers(self, other: "Rule") -> bool:
        """Whether each end that the other rule matches is matched by this one too, as far as the file shows."""
        ranges = joined(self.port)
        return (
            (not ranges or (bool(other.port) and all(_within(ports, ranges) for ports in other.port)))
            and (self.cgroup is None or (other.cgroup is not None and other.cgroup.is_relative_to(self.cgroup)))
            and self.unit in (None, other.unit)
            and (self.address is None or (other.address is not None and _holds(self.address, other.address)))
            and self.role in (None, other.role)
        )


def _within(ports: tuple[int, int], ranges: Ports) -> bool:
    return any(first <= ports[0] and ports[1] <= last for first, last in ranges)


def _holds(wide: Network, narrow: Network) -> bool:
    return mapped(narrow).subnet_of(mapped(wide))


def joined(ports: Ports) -> Ports:
    """Return the same ports in as few ranges as can be, in order."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(ports):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return tuple(result)


def read(document: Document) -> tuple[Rule, ...]:
    """Return the rules of a document, and note its mistakes about them."""
    rules: list[Rule] = []
    room = MAX_RULES
    for number, table in enumerate(document.tables("rule")):
        path = ("rule", number)
        before = len(document.mistakes)
        rule = _rule(document, path, table)
        if len(document.mistakes) > before or rule is None:
            continue
        earlier = next((earlier for earlier in rules if earlier.covers(rule)), None)
        if earlier:
            document.wrong(
                path,
                f"this rule can never match: the one at line {earlier.line} comes first and matches "
                f"{'everything' if earlier.covers(Rule(rule.action)) else 'all that this one does'}. "
                "Put this one before it, or leave it out",
            )
        taken = len(joined(rule.port)) or 1
        if 0 <= room < taken:
            document.wrong(
                path,
                f"from here on there are more rules than the {MAX_RULES} that the kernel has room for; each port "
                "and range of a list is one there. Write ranges of ports, or leave rules out",
            )
        room -= taken
        rules.append(rule)
    return tuple(rules)


def _rule(document: Document, path: toml_lines.Path, table: dict[str, Any]) -> Rule | None:
    known = [key for key in KEYS if key in table]
    misspelt = set(document.data["rule"][path[1]]) - set(KEYS)
    if "action" not in known and not misspelt:
        document.wrong(path, "this rule has no action: give " + matchers.choices(Action))
    if "cgroup" in known and "unit" in known:
        document.wrong((*path, "unit"), "this rule names a cgroup and a unit: leave one of the two out")
    found: dict[str, Any] = {}
    for key in known:
        found[key] = _READERS[key](document, (*path, key), table[key])
    return Rule(**found, line=document.line(path)) if found.get("action") is not None else None
