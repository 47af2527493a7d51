"""Wakes told to web addresses by POST."""

from __future__ import annotations

import http.client
import json
import logging
import queue
import threading
import time
import urllib.request
from collections.abc import Iterable
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit

from kws.daemon.ring import Ring
from kws.daemon.tally import Tally, Trouble
from kws.daemon.wake import FRESH_S, Outlet, Wake
from kws.errors import Misuse
from kws.sources import elapsed_s

TIMEOUT_S = 5.0
"""A server that says nothing for so long has failed."""
CLOSE_S = 3.0
"""What is left for wakes under way when the daemon ends."""

_QUEUED = 16
_FIRST_DELAY_S = 0.5
_BUSY = frozenset({408, 425, 429})
"""Answers that say: try again later, as those from 500 on do."""

_log = logging.getLogger(__name__)


class Webhooks(Outlet):
    """Posts each wake as JSON to its word's address; each address has a queue and a thread of its own.

    One that does not get through is tried again, ever more slowly, until it is `fresh_s` old.
    """

    kind = "webhook"

    def __init__(self, addresses: Iterable[str], *, fresh_s: float = FRESH_S) -> None:
        """Raises Misuse for an address that cannot be one."""
        self._tally = Tally("sent", "failed", "dropped")
        self._lanes = {address: _Lane(address, fresh_s, self._tally) for address in addresses}
        for lane in self._lanes.values():
            lane.start()

    def wake(self, wake: Wake, ring: Ring) -> None:
        """Queue it for its word's address, if the word has one."""
        if lane := self._lanes.get(wake.word.webhook):
            lane.put(json.dumps(wake.fields()).encode())

    def counts(self) -> dict[str, int]:
        """Wakes sent, attempts failed, and wakes dropped because they had grown too old or too many."""
        return self._tally.read()

    def close(self) -> None:
        """Try once more what is queued, and end."""
        for lane in self._lanes.values():
            lane.end()
        until = time.monotonic() + CLOSE_S
        for lane in self._lanes.values():
            lane.join(max(0.0, until - time.monotonic()))


class _Lane(threading.Thread):
    """One address: its wakes are sent one after the other, in order."""

    def __init__(self, address: str, fresh_s: float, tally: Tally) -> None:
        super().__init__(name="webhook", daemon=True)
        self._address, self._fresh_s, self._tally = address, fresh_s, tally
        self._trouble = Trouble(_log, f"the webhook at {_host(address)}")
        self._queue: queue.Queue[tuple[float, bytes] | None] = queue.Queue()
        self._closing = threading.Event()
        self._opener = urllib.request.build_opener(_NoRedirect)

    def put(self, body: bytes) -> None:
        """Queue it, or drop it if too many wait."""
        if self._queue.qsize() < _QUEUED:
            self._queue.put((elapsed_s() + self._fresh_s, body))
        else:
            self._tally.add("dropped")

    def end(self) -> None:
        """Send what is queued without trying twice, then stop."""
        self._closing.set()
        self._queue.put(None)

    def run(self) -> None:
        """Send one after the other."""
        while (queued := self._queue.get()) is not None:
            until, body = queued
            self._tally.add("sent" if self._deliver(body, until) else "dropped")

    def _deliver(self, body: bytes, until: float) -> bool:
        delay_s = _FIRST_DELAY_S
        while elapsed_s() < until:
            try:
                self._post(body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._tally.add("failed")
                self._trouble.begin(error)
                if isinstance(error, HTTPError) and error.code < 500 and error.code not in _BUSY:
                    return False
                if elapsed_s() + delay_s > until or self._closing.wait(delay_s):
                    return False
                delay_s *= 2
            else:
                self._trouble.end()
                return True
        return False

    def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "activate-kws"}
        request = urllib.request.Request(self._address, body, headers)
        try:
            self._opener.open(request, timeout=TIMEOUT_S).close()
        except HTTPError as error:
            error.close()
            raise


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an error: urllib would turn the POST into a GET without the wake, to who knows where."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:  # fmt: skip
        """None: the answer stands as it is, an error."""


def _host(address: str) -> str:
    """Host and port, which alone are told to the log: a path may hold a secret, as Home Assistant's do."""
    try:
        parts = urlsplit(address)
        is_whole = parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_whole = False
    if not is_whole:
        raise Misuse("webhook must be a web address, http://HOST:PORT/PATH without a user or password: check its host.")
    return parts.netloc
