"""Wakes posted to a real server, which fails in the ways that servers fail."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from wakes import FIELDS, silence, wait_for, wake

from kws.daemon.webhook import Webhooks
from kws.errors import Misuse


class Server(ThreadingHTTPServer):
    """Answers each POST with the next of `codes`, and with 200 once there are no more; remembers what it got."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.codes: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.methods: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/webhook/secret"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.methods.append("POST")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hold.wait(10)
        code = self.server.codes.pop(0) if self.server.codes else 200
        if code == 200:
            assert self.headers["Content-Type"] == "application/json"
            self.server.got.append(json.loads(body))
        self.send_response(code)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.methods.append("GET")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[Server]:
    with Server(port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def hooks() -> Iterator[Callable[..., Webhooks]]:
    """Make the outlet; it is closed with the test."""
    with contextlib.ExitStack() as stack:

        def make(*addresses: str, **options: Any) -> Webhooks:
            outlet = Webhooks(addresses, **options)
            stack.callback(outlet.close)
            return outlet

        yield make


def counts(sent: int = 0, failed: int = 0, dropped: int = 0) -> dict[str, int]:
    return {"sent": sent, "failed": failed, "dropped": dropped}


def test_a_wake_is_posted_as_json(server: Server, hooks: Callable[..., Webhooks]) -> None:
    outlet = hooks(server.address)
    outlet.wake(wake(webhook=server.address), silence())
    outlet.wake(wake(), silence())
    wait_for(lambda: outlet.counts() == counts(sent=1))
    assert server.got == [FIELDS]


def test_a_server_that_is_down_and_back_gets_the_wakes_in_order(
    hooks: Callable[..., Webhooks], caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as server:
        port, address = server.server_port, server.address
    outlet = hooks(address)
    for word in ("one", "two", "three"):
        outlet.wake(wake(word=word, webhook=address), silence())
    wait_for(lambda: outlet.counts()["failed"] >= 1)
    with serving(port) as server:
        wait_for(lambda: outlet.counts()["sent"] == 3)
        assert [got["word"] for got in server.got] == ["one", "two", "three"]
    assert outlet.counts()["dropped"] == 0
    assert caplog.messages == [
        f"the webhook at 127.0.0.1:{port} fails: <urlopen error [Errno 111] Connection refused>",
        f"the webhook at 127.0.0.1:{port} works again",
    ]


def test_a_wake_that_grows_old_is_dropped(hooks: Callable[..., Webhooks]) -> None:
    with serving() as server:
        address = server.address
    outlet = hooks(address, fresh_s=0.7)
    for _ in range(3):
        outlet.wake(wake(webhook=address), silence())
    wait_for(lambda: outlet.counts()["dropped"] == 3)
    assert outlet.counts()["sent"] == 0


def test_a_server_in_trouble_is_asked_again(server: Server, hooks: Callable[..., Webhooks]) -> None:
    server.codes = [503, 429]
    outlet = hooks(server.address)
    outlet.wake(wake(webhook=server.address), silence())
    wait_for(lambda: outlet.counts() == counts(sent=1, failed=2))


@pytest.mark.parametrize("code", [301, 307, 404])
def test_a_refusal_is_final_and_a_redirect_is_one(
    server: Server, hooks: Callable[..., Webhooks], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.codes = [code]
    outlet = hooks(server.address)
    outlet.wake(wake(webhook=server.address), silence())
    wait_for(lambda: outlet.counts() == counts(failed=1, dropped=1))
    outlet.wake(wake(webhook=server.address), silence())
    wait_for(lambda: outlet.counts() == counts(sent=1, failed=1, dropped=1))
    assert server.methods == ["POST", "POST"]
    assert f"HTTP Error {code}" in caplog.messages[0]
    assert "secret" not in caplog.text


def test_a_server_that_does_not_answer_holds_up_neither_us_nor_another(
    server: Server, hooks: Callable[..., Webhooks]
) -> None:
    server.hold.clear()
    with serving() as other:
        outlet = hooks(server.address, other.address)
        began = time.monotonic()
        for _ in range(30):
            outlet.wake(wake(webhook=server.address), silence())
        outlet.wake(wake(webhook=other.address), silence())
        assert time.monotonic() - began < 0.5
        wait_for(lambda: len(other.got) == 1)
        assert outlet.counts()["dropped"] >= 10
        server.hold.set()
        wait_for(lambda: len(server.got) + outlet.counts()["dropped"] == 30)


@pytest.mark.parametrize("address", ["http://127.0.0.1:99999/x", "http://[::1/x", "http://:80/x", "http://me:it@here"])
def test_an_address_that_makes_no_sense_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(Misuse, match="webhook must be a web address") as refused:
        Webhooks([address])
    assert "me:it" not in str(refused.value)


def test_a_host_name_that_cannot_be_is_one_line(
    hooks: Callable[..., Webhooks], caplog: pytest.LogCaptureFixture
) -> None:
    address = "http://b\u00fccher..example/x"
    outlet = hooks(address, fresh_s=0.3)
    outlet.wake(wake(webhook=address), silence())
    wait_for(lambda: outlet.counts()["dropped"] == 1)
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]


def test_close_sends_what_is_queued_once_more(server: Server) -> None:
    outlet = Webhooks([server.address])
    for word in ("one", "two"):
        outlet.wake(wake(word=word, webhook=server.address), silence())
    outlet.close()
    assert [got["word"] for got in server.got] == ["one", "two"]


def test_close_waits_for_no_server_that_hangs(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kws.daemon.webhook.CLOSE_S", 0.3)
    server.hold.clear()
    outlet = Webhooks([server.address])
    outlet.wake(wake(webhook=server.address), silence())
    began = time.monotonic()
    outlet.close()
    assert time.monotonic() - began < 2.0
