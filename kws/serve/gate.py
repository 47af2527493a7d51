"""The gate: lets clients in, up to a limit, and sees them out; whatever they send, the server stays as it was."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from kws.errors import Failure, Misuse

LOG = logging.getLogger("kws.serve")

_BACKLOG = 1024
_LEAVING = 256
_SOONEST_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a client may cost."""

    clients: int = 64
    """At once, over all doors."""
    header: int = 2**16
    """Bytes of a message that say what it is."""
    message: int = 2**18
    """Bytes of a message: eight seconds of our own PCM."""
    first_s: float = 30.0
    """Seconds in which a client must have sent its first message."""
    idle_s: float = 600.0
    """Seconds in which it must have sent the next one; a satellite sends none while it talks to Home Assistant."""
    send_s: float = 10.0
    """Seconds in which it must have read what it is told."""
    farewell_s: float = 1.0
    """Seconds in which it may read why it is closed, before the connection is."""


class Line:
    """A connection, each of whose uses takes a limited time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
        self.reader, self.writer, self.limits = reader, writer, limits
        self._patience_s = limits.first_s
        writer.transport.set_write_buffer_limits(0)  # what is drained has left us

    @contextlib.asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Wait here for one message. Raises Misuse if the client takes too long."""
        try:
            async with asyncio.timeout(self._patience_s):
                yield
        except TimeoutError as error:
            raise Misuse(f"no whole message came for {self._patience_s:g} s.") from error
        self._patience_s = self.limits.idle_s

    async def send(self, data: bytes) -> None:
        """Send bytes. Raises TimeoutError if the client does not read them."""
        self.writer.write(data)
        async with asyncio.timeout(self.limits.send_s):
            await self.writer.drain()

    async def see_out(self) -> None:
        """End the stream, and let the client read its last bytes, which a connection closed at once might take back."""
        with contextlib.suppress(OSError):
            self.writer.write_eof()
            async with asyncio.timeout(self.limits.farewell_s):
                await self.writer.drain()
                while await self.reader.read(self.limits.header):
                    pass


class Door(Protocol):
    """A way in: a protocol that clients speak."""

    name: str

    def refusal(self, reason: str) -> bytes:
        """What a client is told that is not let in."""

    async def serve(self, line: Line) -> None:
        """Serve a client until it goes. Raises Misuse, once it has told it so, for what breaks the protocol."""


class Gate:
    """Clients come in here, by any door."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._servers: list[asyncio.Server] = []
        self._guests: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._complaints = _Complaints()

    async def open(self, door: Door, host: str, port: int) -> int:
        """Open a door at an address; the port, which is another one if 0 was asked for. Raises Failure if it cannot."""
        admit = functools.partial(self._admit, door)
        try:
            server = await asyncio.start_server(admit, host, port, limit=self._limits.header, backlog=_BACKLOG)
        except OSError as error:
            raise Failure(
                f"cannot serve {door.name} on {host}:{port} ({error.strerror or error}): end what uses it, "
                f"or name another with --{door.name.lower()} HOST:PORT."
            ) from error
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close the doors and send everybody home."""
        for server in self._servers:
            server.close()
        tasks = self._guests | self._leaving
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._limits.farewell_s)
        self._complaints.sum_up()

    def _admit(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer, self._limits)
        if len(self._guests) < self._limits.clients:
            self._keep(self._guests, self._host(door, line), line)
            return
        reason = f"there are {self._limits.clients} clients already, as many as are let in: try again later."
        self._complaints.add(f"a {door.name} client was turned away: {reason}")
        writer.write(door.refusal(reason))
        if len(self._leaving) < _LEAVING:
            self._keep(self._leaving, line.see_out(), line)
        else:
            writer.transport.abort()

    def _keep(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None], line: Line) -> None:
        def part(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            line.writer.transport.abort()  # to close it would be to wait for a client that may never read
            if not task.cancelled() and (error := task.exception()):
                self._complaints.add(f"a client was closed by a fault of ours: {error!r}")

        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)
        task.add_done_callback(part)

    async def _host(self, door: Door, line: Line) -> None:
        with contextlib.suppress(OSError, EOFError):  # it is gone, or does not read
            try:
                await door.serve(line)
            except Misuse as wrong:
                self._complaints.add(f"a {door.name} client was closed: {wrong}")
            await line.see_out()


class _Complaints:
    """Lines to the log, no more than a few a minute."""

    _MOST = 10

    def __init__(self) -> None:
        self._count, self._since_s = 0, time.monotonic()

    def add(self, text: str) -> None:
        """Say it, unless much was said of late."""
        if time.monotonic() - self._since_s >= _SOONEST_S:
            self.sum_up()
        self._count += 1
        if self._count <= self._MOST:
            LOG.warning("%s", text)

    def sum_up(self) -> None:
        """Say how much was not said, and begin anew."""
        if self._count > self._MOST:
            LOG.warning("%d further clients were closed or turned away", self._count - self._MOST)
        self._count, self._since_s = 0, time.monotonic()
