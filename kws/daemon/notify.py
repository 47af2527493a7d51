"""What systemd is told: ready, how it goes, still alive, reloading, stopping; one datagram each.

The protocol is sd_notify(3)'s. Nothing happens where nobody listens for it, and a service manager that is stuck can
neither stop nor fail what listens.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, MutableMapping

_PATIENCE_S = 0.2
_SHARE = 3
"""The watchdog is fed so many times within the time it allows."""


class Notifier:
    """One end of systemd's socket; every method returns at once and none raises."""

    def __init__(
        self, environment: MutableMapping[str, str] = os.environ, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Take what systemd left in `environment` out of it, so that no program started later speaks in our name."""
        names = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        self.taken = {name: environment.pop(name) for name in names if name in environment}
        """What it took, for a process that is put in place of this one."""
        address, limit, process = (self.taken.get(name, "") for name in names)
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        is_ours = process in ("", str(os.getpid()))
        self._every_s = int(limit) / 1e6 / _SHARE if limit.isdecimal() and is_ours else 0.0
        self._clock_s = clock_s
        self._fed_s = -float("inf")

    def ready(self) -> None:
        """It listens: at the start, and again when a reload is done."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """How it goes, in one line for people."""
        self._send(f"STATUS={' '.join(text.split())}")

    def reloading(self) -> None:
        """It reads its settings anew; `ready` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It ends of its own accord."""
        self._send("STOPPING=1")

    def scored(self) -> None:
        """A frame was scored, which is the one sign of life that feeds the watchdog."""
        now_s = self._clock_s()
        if self._every_s > 0 and now_s - self._fed_s >= self._every_s:
            self._fed_s = now_s
            self._send("WATCHDOG=1")

    def rested(self) -> None:
        """Nothing is to be heard now, since it is muted; said by the one thread that would score frames."""
        self.scored()

    def _send(self, message: str) -> None:
        if not self._address.startswith(("/", "\0")):
            return
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.settimeout(_PATIENCE_S)
            wire.sendto(message.encode(), self._address)
