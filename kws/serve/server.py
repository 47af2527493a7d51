"""The server: its doors, its gate and its one inference thread, from start to SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from kws.detector import Detector
from kws.serve.gate import Door, Gate, Limits
from kws.serve.inference import Inference

Address = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Doors:
    """Where clients come in."""

    wyoming: Address | None = ("127.0.0.1", 10400)
    """Host and port; None: not at all."""
    websocket: Address | None = ("127.0.0.1", 10401)
    origins: tuple[str, ...] = ()
    """Origins whose pages may use the WebSocket, besides those of this machine."""


class Server:
    """Serves inside `async with`."""

    def __init__(self, detectors: Sequence[Detector], doors: Doors, limits: Limits | None = None) -> None:
        """Raises Misuse for detectors that clients could not tell apart."""
        self.addresses: dict[str, Address] = {}
        """Host and port of each open door."""
        self._inference = Inference(detectors)
        self._doors, self._limits = doors, limits or Limits()

    async def __aenter__(self) -> Self:
        """Open the doors. Raises Failure if an address cannot be had."""
        self._gate = Gate(self._limits)
        try:
            for door, (host, port) in self._build():
                self.addresses[door.name] = host, await self._gate.open(door, host, port)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._gate.close()
        self._inference.close()

    def _build(self) -> list[tuple[Door, Address]]:
        built: list[tuple[Door, Address]] = []
        if self._doors.wyoming:
            from kws.serve.wyoming import Wyoming

            built.append((Wyoming(self._inference), self._doors.wyoming))
        if self._doors.websocket:
            from kws.serve.websocket import WebSocket

            door = WebSocket(self._inference, self._doors.websocket[0], self._doors.origins)
            built.append((door, self._doors.websocket))
        return built


def run(server: Server, greet: Callable[[Server], None]) -> None:
    """Serve until SIGTERM or SIGINT; `greet` is called once the doors are open. Raises Failure if they cannot be."""
    _raise_file_limit()
    asyncio.run(_run(server, greet))


async def _run(server: Server, greet: Callable[[Server], None]) -> None:
    ended = asyncio.Event()
    _on_signals(ended.set, "SIGTERM", "SIGINT")
    _on_signals(lambda: None, "SIGHUP")
    async with server:
        greet(server)
        await ended.wait()


def _on_signals(action: Callable[[], None], *names: str) -> None:
    """Call `action` in the loop on these signals, where the system has them."""
    for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, action)


def _raise_file_limit() -> None:
    """Let every connection that waits to be turned away have its file descriptor."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
