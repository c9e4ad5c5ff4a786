"""An asyncio echo server, and a client that checks every byte of many echoes at once.

asyncio_echo.py serve HOST PORT
asyncio_echo.py check HOST PORT CONNECTIONS BYTES   (BYTES through each connection)
"""

import asyncio
import random
import sys


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Give back whatever comes until the other end closes its half."""
    while block := await reader.read(1 << 16):
        writer.write(block)
        await writer.drain()
    writer.close()


async def serve(host: str, port: int) -> None:
    """Echo for ever."""
    server = await asyncio.start_server(echo, host, port)
    await server.serve_forever()


async def check(host: str, port: int, seed: int, size: int) -> None:
    """Send `size` random bytes in writes of 1 B to 200 KB while reading them back."""
    reader, writer = await asyncio.open_connection(host, port)
    source = random.Random(seed)
    sent = source.randbytes(size)

    async def write() -> None:
        start = 0
        while start < size:
            end = start + int(2 ** source.uniform(0, 17.6))
            writer.write(sent[start:end])
            await writer.drain()
            start = end
        writer.write_eof()

    async with asyncio.TaskGroup() as both:
        both.create_task(write())
        received = both.create_task(reader.read())
    if received.result() != sent:
        raise SystemExit(f"connection {seed}: {len(received.result())} of {size} bytes, or changed")
    writer.close()


async def check_all(host: str, port: int, connections: int, size: int) -> None:
    """All connections at once."""
    async with asyncio.TaskGroup() as checks:
        for seed in range(connections):
            checks.create_task(check(host, port, seed, size))


if __name__ == "__main__":
    verb, address, listened, *numbers = sys.argv[1:]
    if verb == "serve":
        asyncio.run(serve(address, int(listened)))
    else:
        asyncio.run(check_all(address, int(listened), *map(int, numbers)))
