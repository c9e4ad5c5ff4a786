"""What sockets can be given to receive in."""

import pytest

from sockhop.kernel import buffers

KB, MB = 1 << 10, 1 << 20


@pytest.mark.parametrize(
    ("wanted", "rmem_max", "given"),
    [
        (3 * MB, 4 * MB, 3 * MB),
        (3 * MB, 1536 * KB, 3 * MB),
        (3 * MB, 1 * MB, 2 * MB),
        (3 * MB, 1 * MB - 1, 0),
        (3 * MB, 212_992, 0),
        (64 * KB, 212_992, 64 * KB),
        (0, 4 * MB, 0),
    ],
)
def test_as_much_as_there_is_or_none(
    monkeypatch: pytest.MonkeyPatch, wanted: int, rmem_max: int, given: int
) -> None:
    monkeypatch.setattr(buffers, "rmem_max", lambda: rmem_max)
    assert buffers.receive_buffer(wanted) == given
