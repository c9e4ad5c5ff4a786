"""``check``: what this machine allows, found out by trying."""

import json
from typing import Any

import pytest

from sockhop.control.probes import behaviour, machine
from sockhop.kernel import cgroups
from tests.cli.sandbox import SOCKHOP, Sandbox

PROBES = [probe.id for probe in machine.PROBES] + list(behaviour.PROBES)


def answers(text: str) -> dict[str, Any]:
    """Return the answers of ``check --json``, by probe."""
    shown = json.loads(text)
    assert shown["schema"] == 1
    fine = all(answer["state"] == "ok" or answer["need"] == "detail" for answer in shown["answers"])
    assert (shown["capable"], shown["support"]) == ((True, "full") if fine else (False, "refused"))
    for answer in shown["answers"]:
        assert answer.keys() == {"id", "state", "reason", "fix", "need"}
        assert answer["reason"]
        assert bool(answer["fix"]) == (answer["state"] == "missing")
    return {answer["id"]: answer for answer in shown["answers"]}


def test_this_machine_can_hop(sandbox: Sandbox) -> None:
    done = sandbox.sockhop("check")
    assert (done.returncode, done.stderr) == (0, "sockhop: this machine can hop\n")
    for probe in PROBES:
        assert f" {probe} " in done.stdout
    found = answers(sandbox.ok("check", "--json"))
    assert list(found) == PROBES
    assert {name for name, answer in found.items() if answer["state"] != "ok"} <= {"rmem_max"}
    assert sandbox.leftovers() == set()


@pytest.mark.parametrize("within", [[], [SOCKHOP, "run"]], ids=["alone", "within run"])
def test_it_does_not_matter_what_else_is_up(sandbox: Sandbox, within: list[str]) -> None:
    sandbox.ok("up", "--all")
    done = sandbox.run(*within, SOCKHOP, "check", "--json")
    assert done.returncode == 0, done.stdout
    assert sandbox.pins() == {"service"}
    assert sandbox.status().state == "up"


def test_without_privilege_it_says_which_is_missing_and_what_is_unknown(sandbox: Sandbox) -> None:
    done = sandbox.run("setpriv", "--inh-caps=-all", "--bounding-set=-all", SOCKHOP, "check", "--json")
    assert done.returncode == 4
    found = answers(done.stdout)
    assert found["privileges"]["state"] == "missing"
    assert "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN" in found["privileges"]["reason"]
    assert {found[probe]["state"] for probe in ("btf", "libbpf", "object", "cgroup2")} == {"ok"}
    assert found["hop"]["state"] == "unknown"
    assert "privileges" in found["hop"]["reason"]
    done = sandbox.run("setpriv", "--inh-caps=-all", "--bounding-set=-all", SOCKHOP, "check")
    assert (done.returncode, done.stderr) == (4, "sockhop: this machine cannot hop: see the table\n")


def test_without_cgroup_v2_it_says_how_to_mount_it(sandbox: Sandbox) -> None:
    done = sandbox.after(f"umount --lazy {cgroups.mount_point()}", SOCKHOP, "check", "--json")
    assert done.returncode == 4
    found = answers(done.stdout)
    assert found["cgroup2"]["state"] == "missing"
    assert "mount -t cgroup2" in found["cgroup2"]["reason"] + found["cgroup2"]["fix"]
    assert sandbox.leftovers() == set()
