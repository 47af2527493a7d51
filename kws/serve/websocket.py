"""A WebSocket for browsers: PCM in, detections out as JSON.

The words and the rate stand in the address, `ws://HOST:PORT/?rate=48000&words=activate`. The protocol is the library's,
without its own input and output: those of the gate hold clients to the same limits as at every other door.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from kws.audio import RATE_HZ
from kws.errors import Misuse
from kws.serve.gate import Line
from kws.serve.inference import Inference, Stream
from kws.serve.pcm import Format

if TYPE_CHECKING:
    from websockets.http11 import Request

    from kws.listener import Heard

_GOING, _UNSUPPORTED, _POLICY = 1001, 1003, 1008
_LONGEST_REASON = 120


class Unsupported(Misuse):
    """A message of a kind that is not taken."""


class WebSocket:
    """The door for browsers."""

    name = "WebSocket"

    def __init__(self, inference: Inference, host: str, allowed: Collection[str] = ()) -> None:
        """`host`: where it listens; `allowed`: origins whose pages may connect, besides those of this machine.

        Loads the library. Raises ModuleNotFoundError if it is missing.
        """
        import websockets.server  # noqa: F401

        self._inference = inference
        self._is_local = is_loopback(host)
        self._allowed = frozenset(allowed)

    def refusal(self, reason: str) -> bytes:
        """A page that says why."""
        head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        return f"{head}Content-Length: {len(reason.encode())}\r\n\r\n{reason}".encode()

    async def serve(self, line: Line) -> None:
        """Hear what a page sends until it goes. Raises Misuse for what breaks the protocol."""
        socket = _Socket(line)
        async with line.patience():
            request = await socket.request()
        if request is None:
            return
        if refusal := self._refuses(request):
            await socket.reject(403, refusal)
            raise Misuse(refusal)
        if not await socket.accept(request):
            raise Misuse("its request was none for a WebSocket.")
        code, reason = _GOING, "the server ends"
        try:
            await self._listen(socket, request.path)
        except Misuse as wrong:
            code, reason = _UNSUPPORTED if isinstance(wrong, Unsupported) else _POLICY, str(wrong)
            raise
        finally:
            socket.close(code, reason)

    def _refuses(self, request: Request) -> str:
        """Why a page of this origin may not connect; empty if it may, as a program without an origin may."""
        if "Origin" not in request.headers:
            return ""
        origin, at = (", ".join(request.headers.get_all(name)) for name in ("Origin", "Host"))
        host = _host_of(origin)
        is_ours = bool(host) and (is_loopback(host) or (not self._is_local and host == _host_of(f"//{at}")))
        if is_ours or origin in self._allowed:
            return ""
        return f"pages of {origin[:80]!r} may not connect: allow them with --allow-origin."

    async def _listen(self, socket: _Socket, path: str) -> None:
        stream, wants_scores = self._open(path)
        step_s = min(detector.frame_seconds for detector in self._inference.detectors if detector.word in stream.words)
        await socket.tell(type="hello", words=stream.words, rate=stream.pcm.rate_hz, frame_seconds=step_s)
        while (message := await socket.receive()) is not None:
            for heard in await stream.feed(message):
                await _tell(socket, stream, heard, wants_scores)

    def _open(self, path: str) -> tuple[Stream, bool]:
        """The stream that an address asks for, and whether its scores are wanted. Raises Misuse if it is not clear."""
        asked = dict(parse_qsl(path.partition("?")[2], keep_blank_values=True))
        rate, words, scores = (asked.pop(name, default) for name, default in _DEFAULTS.items())
        if asked:
            raise Misuse(f"{next(iter(asked))[:30]!r} is not known here: choose of {', '.join(_DEFAULTS)}.")
        if not rate.isascii() or not rate.isdigit() or len(rate) > 6:
            raise Misuse(f"rate must be a whole number of Hertz, got {rate[:20]!r}.")
        if scores not in {"0", "1"}:
            raise Misuse(f"scores must be 0 or 1, got {scores[:20]!r}.")
        named = words.split(",") if words else self._inference.words
        found = dict.fromkeys(self._inference.find(name) for name in named)
        if None in found:
            raise Misuse(f"{words[:30]!r} are not all heard here: choose of {', '.join(self._inference.words)}.")
        return self._inference.open([word for word in found if word], Format(rate_hz=int(rate))), scores == "1"


_DEFAULTS = {"rate": str(RATE_HZ), "words": "", "scores": "0"}


async def _tell(socket: _Socket, stream: Stream, heard: Heard, wants_scores: bool) -> None:
    for found in heard.detections:
        times = {"time": round(found.time, 3), "end": round(found.end, 3)}
        await socket.tell(type="detection", word=found.word, **times, score=round(found.score, 4))
    if wants_scores:
        scores = {word: round(score, 4) for word, score in zip(stream.words, heard.scores, strict=True)}
        await socket.tell(type="scores", time=round(heard.time, 3), scores=scores)


class _Socket:
    """One client's messages, in either direction."""

    def __init__(self, line: Line) -> None:
        from websockets.server import ServerProtocol

        silent = logging.getLogger(f"{__name__}.protocol")
        silent.disabled = True  # the gate says what is to be said
        self._line = line
        self._protocol = ServerProtocol(max_size=line.limits.message, logger=silent)
        self._events: deque[Any] = deque()

    async def request(self) -> Request | None:
        """What the client asks for; None if it went away. Raises Misuse if it is not HTTP."""
        if await self._read():
            request: Request = self._events.popleft()
            return request
        if self._line.reader.at_eof():
            return None
        raise Misuse("its request was not HTTP.")

    async def reject(self, status: int, reason: str) -> None:
        """Answer a request with a page that says why not."""
        self._protocol.send_response(self._protocol.reject(status, reason))
        await self._flush()

    async def accept(self, request: Request) -> bool:
        """Open the WebSocket; False, and a page that says why, if the request was none for it."""
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        await self._flush()
        return response.status_code == 101

    async def receive(self) -> bytes | None:
        """The next message; None at the end. Raises Misuse for text, what is too large, or what is none at all."""
        from websockets.frames import Opcode

        message = bytearray()
        async with self._line.patience():
            while self._events or await self._read():
                frame = self._events.popleft()
                if frame.opcode is Opcode.TEXT:
                    raise Unsupported("send sound as binary messages of s16le PCM, not text.")
                if frame.opcode in {Opcode.BINARY, Opcode.CONT}:
                    message += frame.data
                    if frame.fin:
                        return bytes(message)
        if (error := self._protocol.parser_exc) and not isinstance(error, EOFError):
            raise Misuse(f"what it sent was no message ({error}).")
        return None

    async def tell(self, **values: object) -> None:
        """Send JSON. Raises TimeoutError if the client does not read it."""
        self._protocol.send_text(json.dumps(values).encode())
        await self._flush()

    def close(self, code: int, reason: str) -> None:
        """Say that this is the end, unless the client has said so."""
        from websockets.exceptions import InvalidState

        with contextlib.suppress(InvalidState):
            self._protocol.send_close(code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore"))
        for data in self._protocol.data_to_send():
            self._line.writer.write(data)

    async def _read(self) -> bool:
        """Read on until there is an event; False if none will come."""
        while not (self._events or self._protocol.close_expected() or self._protocol.parser_exc):
            data = await self._line.reader.read(self._line.limits.header)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            self._events += self._protocol.events_received()
            await self._flush()
            if not data:
                break
        return bool(self._events)

    async def _flush(self) -> None:
        """Send what the protocol has to say: ours, and its own answers to pings and closing."""
        await self._line.send(b"".join(self._protocol.data_to_send()))


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, and nobody else's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_of(address: str) -> str:
    """The host of an origin, in lower case; empty if there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
