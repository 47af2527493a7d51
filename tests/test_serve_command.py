"""`kws serve` as a process: how it starts and ends, and what a crowd of bad clients does to it, which is nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("wyoming", reason="wyoming is not installed: pip install 'activate-kws[service]'")
pytest.importorskip("websockets", reason="websockets is not installed: pip install 'activate-kws[service]'")

PATIENCE_S = 60.0
SLOWNESS_S = 3.0
"""What a machine that does other work as well may add to two seconds."""
GIGABYTE = 10**9


class Process:
    """`kws serve` at free ports, and what it costs."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder / "log"
        command = [sys.executable, "-m", "kws", "serve", "--wyoming", "127.0.0.1:0", "--websocket", "127.0.0.1:0"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        with self.log.open("wb") as log:
            self.child = subprocess.Popen([*command, *arguments], stderr=log, env=environment)
        self.ports: list[int] = []
        until_s = time.monotonic() + PATIENCE_S
        while not self.ports:
            assert self.child.poll() is None and time.monotonic() < until_s, self.log.read_text()
            self.ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)[,;]", self.log.read_text())]
            time.sleep(0.01)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()

    def connect(self, door: int = 0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[door]), timeout=PATIENCE_S)

    def status(self, name: str) -> int:
        """A number of the kernel's about the process: kB of memory, or threads."""
        found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{self.child.pid}/status").read_text(), re.MULTILINE)
        assert found
        return int(found[1])

    def files(self) -> int:
        return len(list(Path(f"/proc/{self.child.pid}/fd").iterdir()))

    def lines(self) -> int:
        return len(self.log.read_text().splitlines())

    def describes(self) -> bool:
        """Whether a client is told the word; one that is turned away comes again."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            with contextlib.suppress(ConnectionError), self.connect() as client, client.makefile("rb") as answer:
                client.sendall(b'{"type": "describe"}\n')
                header = json.loads(answer.readline() or "{}")
                if header.get("type") == "info":
                    return b'"activate"' in answer.read(header["data_length"])
            time.sleep(0.01)
        return False


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A server of its own."""
    with Process(tmp_path) as started:
        yield started


def run(*arguments: str, folder: Path | None = None) -> tuple[int, str]:
    """Call `kws serve` to its end: (exit code, standard error)."""
    path = os.pathsep.join([*([str(folder)] if folder else []), *sys.path])
    command = [sys.executable, "-m", "kws", "serve", *arguments]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_in_order_and_a_hangup_does_not(process: Process, ending: signal.Signals) -> None:
    process.child.send_signal(signal.SIGHUP)
    with process.connect() as idle, process.connect(1) as half:
        half.sendall(b"GET / HTTP/1.1\r\n")
        assert process.describes()
        start_s = time.monotonic()
        process.child.send_signal(ending)
        assert process.child.wait(PATIENCE_S) == 0
        assert time.monotonic() - start_s < 2 + SLOWNESS_S
        assert idle.recv(1) == b""
    assert process.lines() == 1, process.log.read_text()


def test_an_address_that_cannot_be_had_is_one_sentence(process: Process) -> None:
    code, said = run("--wyoming", f"127.0.0.1:{process.ports[0]}", "--websocket", "")
    assert (code, said.count("\n")) == (1, 1)
    assert re.search(r"^kws: cannot serve Wyoming on 127.0.0.1:\d+ \(.*in use.*--wyoming HOST:PORT\.$", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--wyoming", "", "--websocket", ""], "nothing to serve"),
        (["--wyoming", "here"], "--wyoming must be HOST:PORT"),
        (["activate", "activate"], "two are the same"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(arguments: list[str], said: str) -> None:
    code, told = run(*arguments)
    assert (code, said in told, told.count("\n")) == (2, True, 1), told


@pytest.mark.parametrize(("module", "other"), [("wyoming", "--websocket"), ("websockets", "--wyoming")])
def test_a_missing_library_is_told_with_the_extra_that_brings_it(tmp_path: Path, module: str, other: str) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('no', name='{module}')\n")
    code, told = run(other, "", folder=tmp_path)
    assert (code, told) == (1, f"kws: {module} is not installed: pip install 'activate-kws[service]'.\n")


def test_what_a_door_needs_is_loaded_with_that_door_alone() -> None:
    code = "import sys, kws.cli.serve, kws.serve.server, kws.listener; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "synth", "scipy", "soxr", "wyoming", "websockets"} & set(done.stdout.split())


def test_a_gigabyte_is_neither_held_nor_waited_for(process: Process) -> None:
    assert process.describes()
    before_kb = process.status("VmHWM")
    greeting = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    )
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    frame = b"\x82\xff" + GIGABYTE.to_bytes(8, "big") + bytes(4)
    chunk = b'{"type": "audio-chunk", "payload_length": %d}\n' % GIGABYTE
    endless = b'{"type": "' + b"x" * 2**20
    for door, start in ((0, chunk), (0, endless), (1, greeting + key + frame), (1, b"GET /" + b"x" * 2**20)):
        with process.connect(door) as client, contextlib.suppress(ConnectionError):
            client.sendall(start)
            while sent := client.send(bytes(2**16)):
                assert sent
    assert process.describes()
    assert process.status("VmHWM") - before_kb < 12_000


def crowd(process: Process, at_once: int, in_turn: int) -> None:
    """Many clients come at once, and many one after another; a second time they find everything as the first did."""
    start_s = time.monotonic()
    come(process, at_once)
    meet(process, 0)
    threads, files, memory_kb = settled(process)
    with ThreadPoolExecutor(8) as eight:
        list(eight.map(meet, [process] * in_turn, range(in_turn)))
    come(process, at_once)
    assert process.describes()
    after = settled(process)
    assert after[:2] == (threads, files)
    assert after[2] - memory_kb < 3_000
    assert process.lines() <= 2 + 12 * ((time.monotonic() - start_s) // 60 + 2), "a dozen a minute"


def come(process: Process, count: int) -> None:
    """So many clients are connected at once; all but those that find room are told why they are closed."""
    clients = [process.connect(number % 2) for number in range(count)]
    told = [client.recv(1000) for client in clients[128:]]
    assert all(b"there are 64 clients already" in each for each in told)
    for client in clients:
        client.close()


def meet(process: Process, number: int) -> None:
    """One client with garbage, a half event, or nothing."""
    with process.connect(number % 2) as client, contextlib.suppress(ConnectionError):
        client.sendall((b"\xff\x00garbage\n", b"", b'{"type": "detect", "data_le', b"\r\n\r\n" * 9)[number % 4])
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass


def settled(process: Process) -> tuple[int, int, int]:
    """Threads, open files and kB of memory, once every client has been seen out."""
    until_s = time.monotonic() + PATIENCE_S
    files = process.files()
    while time.monotonic() < until_s:
        time.sleep(0.3)
        files, last = process.files(), files
        if files == last:
            break
    return process.status("Threads"), files, process.status("VmRSS")


def test_a_crowd_of_bad_clients_leaves_nothing_behind(process: Process) -> None:
    crowd(process, at_once=200, in_turn=200)


@pytest.mark.slow
def test_2000_clients_at_once_and_50000_in_turn_leave_nothing_behind(process: Process) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd(process, at_once=2_000, in_turn=50_000)
