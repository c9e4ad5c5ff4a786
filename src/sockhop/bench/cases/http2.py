"""HTTP/2 without TLS: h2load to nghttpd, streams one at a time and ten at once on each connection."""

import functools
import re

from sockhop.bench import sizes
from sockhop.bench.arms import Arm, Least, Sent, Session
from sockhop.bench.cases import nginx
from sockhop.bench.comparison import Comparison, Ratio
from sockhop.bench.effort import Effort
from sockhop.bench.figures import NEVER_SLOWER
from sockhop.bench.machine import LOCAL, Failed, Machine, Place
from sockhop.bench.processes import ask, serving
from sockhop.bench.sample import Sample

PORT = 5013
CPUS = "0"


def requests(
    size: str, clients: int, streams: int, machine: Machine, effort: Effort, _arm: Arm, session: Session
) -> Sample:
    """Requests a second for a body of ``size``."""
    place, bodies = Place(session.cgroup, machine.near, CPUS), machine.scratch / "http2"
    bodies.mkdir(exist_ok=True)
    nginx.write_bodies(bodies)
    server = (machine.program("nghttpd"), "--no-tls", "-a", LOCAL, "-d", str(bodies), str(PORT))
    client = (machine.program("h2load"), "-c", str(clients), "-m", str(streams), "-D", f"{effort.program_ms}ms")
    with serving(place, *server, address=f"{LOCAL}:{PORT}"):
        answer = ask(place, *client, f"http://{LOCAL}:{PORT}/{size}")
        rate = re.search(r"finished in .*?, ([\d.]+) req/s", answer.text)
        done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", answer.text)
        traffic = re.search(r"traffic: \S+ \((\d+)\) total", answer.text)
        if not rate or not done or not traffic:
            raise Failed(f"h2load printed no result: {answer.text!r}")
        if int(done[2]) or int(done[3]):
            raise Failed(f"h2load: {done[0]}")
        # Streams of a connection share messages.
        messages = 2 * float(done[1]) / streams
        session.prove(Sent(messages, Least(0.5)))
    return Sample(float(rate[1]), answer.usage, messages, float(traffic[1]))


def case(size: str, clients: int, streams: int) -> Comparison:
    """One cell."""
    return Comparison(
        name=f"http2-{size}-{clients}x{streams}",
        title=f"HTTP/2, {sizes.words(size)} file, {clients} x {streams} streams, one CPU",
        group="web servers and proxies",
        arms=("tcp", "hop"),
        sample=functools.partial(requests, size, clients, streams),
        ratios=[Ratio("hop", "tcp", NEVER_SLOWER)],
        rounds=0.75,
        lasts=lambda effort: effort.program_ms / 1000 + 0.15,
    )


CASES = [case("1K", 1, 1), case("1K", 8, 10), case("100K", 8, 10)]
