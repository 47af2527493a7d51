"""systemd hears what it should, and the listener never notices whether it does."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kws.daemon.notify import Notifier

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A service manager's end of the socket: its address, and what it was told."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@kws-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        try:
            wire.bind(name.replace("@", "\0"))
        except OSError:
            pytest.skip("this system has no abstract sockets")
        wire.setblocking(False)

        def told() -> list[str]:
            heard = []
            while True:
                try:
                    heard.append(wire.recv(4096).decode())
                except BlockingIOError:
                    return heard

        yield SimpleNamespace(address=name, told=told)


def fed(usec: str, process: str = "", *, calls: int = 100, every_s: float = 0.08) -> Callable[[str], Notifier]:
    """A notifier that was told of so many frames, this far apart."""

    def notifier(address: str) -> Notifier:
        now_s = [1000.0]
        environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": usec, "WATCHDOG_PID": process}
        told = Notifier(environment, lambda: now_s[0])
        for _ in range(calls):
            told.scored()
            now_s[0] += every_s
        return told

    return notifier


def test_the_manager_is_told_each_state(manager: SimpleNamespace) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    before = time.monotonic_ns() // 1000
    notifier.ready()
    notifier.status("level -40 dB")
    notifier.reloading()
    notifier.stopping()
    ready, status, reloading, stopping = manager.told()
    assert (ready, status, stopping) == ("READY=1", "STATUS=level -40 dB", "STOPPING=1")
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", reloading)
    assert found
    assert before <= int(found[1]) <= time.monotonic_ns() // 1000


def test_a_status_cannot_say_anything_else(manager: SimpleNamespace) -> None:
    Notifier({"NOTIFY_SOCKET": manager.address}).status("microphone 'a\nSTOPPING=1'\r\n")
    assert manager.told() == ["STATUS=microphone 'a STOPPING=1'"]


def test_the_watchdog_is_fed_three_times_within_its_limit_and_no_oftener(manager: SimpleNamespace) -> None:
    fed("3000000")(manager.address)
    heard = manager.told()
    assert set(heard) == {"WATCHDOG=1"}
    assert len(heard) in (7, 8)  # in 8 s, at the frame after each second


def test_the_watchdog_is_fed_by_nothing_but_scored_frames(manager: SimpleNamespace) -> None:
    notifier = fed("3000000", calls=0)(manager.address)
    for _ in range(20):
        notifier.status("alive, it says")
    assert "WATCHDOG=1" not in manager.told()


@pytest.mark.parametrize(("usec", "process"), [("", ""), ("soon", ""), ("0", ""), ("3000000", "1")])
def test_a_watchdog_that_is_not_ours_is_not_fed(manager: SimpleNamespace, usec: str, process: str) -> None:
    fed(usec, process, calls=5)(manager.address)
    assert manager.told() == []


def test_a_watchdog_that_names_this_process_is_fed(manager: SimpleNamespace) -> None:
    fed("3000000", str(os.getpid()), calls=5)(manager.address)
    assert manager.told() == ["WATCHDOG=1"]


def test_programs_started_later_do_not_inherit_the_socket(manager: SimpleNamespace) -> None:
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody", "vsock:2:1", "/" + "x" * 200, "/a\0b"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    notifier.ready()
    notifier.status("x")
    notifier.reloading()
    notifier.scored()
    notifier.stopping()


def test_a_manager_that_is_stuck_holds_up_no_frame_for_long(manager: SimpleNamespace) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    begin_s = time.monotonic()
    sent = 0
    while time.monotonic() - begin_s < 0.1:  # until its buffer is full
        notifier.status("x" * 100)
        sent += 1
    begin_s = time.monotonic()
    notifier.ready()
    assert time.monotonic() - begin_s < 1.0
    assert len(manager.told()) < sent + 1
