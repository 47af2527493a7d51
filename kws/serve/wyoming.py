"""The Wyoming protocol, as Home Assistant and its satellites speak it to a wake word server.

An event is a line of JSON, then as many bytes of more JSON and of payload as that line announces. The events are the
library's; they are read here, since its own reader believes whatever length it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kws.errors import Misuse
from kws.runtime import PACKAGE, version_of
from kws.serve.gate import Limits, Line
from kws.serve.inference import Inference, Stream
from kws.serve.pcm import Format

if TYPE_CHECKING:
    from wyoming.event import Event, Eventable

    from kws.detector import Detector
    from kws.listener import Heard


class Wyoming:
    """The door for Wyoming's clients."""

    name = "Wyoming"

    def __init__(self, inference: Inference) -> None:
        """Loads the library. Raises ModuleNotFoundError if it is missing."""
        self._inference = inference
        self._info = _describe(inference.detectors)

    def refusal(self, reason: str) -> bytes:
        """An event that says why."""
        return json.dumps({"type": "error", "data": {"text": reason, "code": "busy"}}).encode() + b"\n"

    async def serve(self, line: Line) -> None:
        """Answer a client's events until it goes. Raises Misuse for one that is not understood."""
        from wyoming.error import Error

        client = _Client(line, self._inference, self._info)
        try:
            while True:
                async with line.patience():
                    event = await read_event(line.reader, line.limits)
                if event is None:
                    return
                await client.answer(event)
        except Misuse as wrong:
            with contextlib.suppress(OSError):
                await client.send(Error(text=str(wrong), code="protocol"))
            raise


async def read_event(reader: asyncio.StreamReader, limits: Limits) -> Event | None:
    """The next event, None at the end. Raises Misuse for what is none, before more is read than the limits allow."""
    from wyoming.event import Event

    try:
        line = await reader.readline()
    except ValueError as error:
        raise Misuse(f"an event's first line must end within {limits.header} bytes.") from error
    if not line.endswith(b"\n"):
        return None
    header = _parse(line)
    data = header.get("data") or {}
    extra = _length(header, "data_length", limits.header)
    size = _length(header, "payload_length", limits.message)
    if not isinstance(header.get("type"), str) or not isinstance(data, dict):
        raise Misuse("an event must have a type, which is text, and data, which is an object.")
    if extra:
        data |= _parse(await reader.readexactly(extra))
    return Event(type=header["type"], data=data, payload=await reader.readexactly(size))


class _Client:
    """What one client listens for, and its sound."""

    def __init__(self, line: Line, inference: Inference, info: Event) -> None:
        self._line, self._inference, self._info = line, inference, info
        self._names = {word: word for word in inference.words}
        self._stream: Stream | None = None
        self._has_detected = False
        self._answers = {
            "describe": self._tell,
            "ping": self._pong,
            "detect": self._detect,
            "audio-start": self._start,
            "audio-chunk": self._hear,
            "audio-stop": self._stop,
        }

    async def send(self, event: Eventable) -> None:
        """Send an event. Raises TimeoutError if the client does not read it."""
        await self._send(event.event())

    async def answer(self, event: Event) -> None:
        """Do what an event asks; one of another kind is meant for other servers. Raises Misuse if it makes no sense."""
        if event.type in self._answers:
            await self._answers[event.type](event)

    async def _send(self, event: Event) -> None:
        from wyoming.event import async_write_event

        async with asyncio.timeout(self._line.limits.send_s):
            await async_write_event(event, self._line.writer)

    async def _tell(self, event: Event) -> None:
        await self._send(self._info)

    async def _pong(self, event: Event) -> None:
        from wyoming.ping import Pong

        await self.send(Pong(text=_text(event.data.get("text"))))

    async def _detect(self, event: Event) -> None:
        """Listen for these names from now on, from fresh state; for every word if there are none."""
        from wyoming.error import Error

        asked = event.data.get("names") or self._inference.words
        if not isinstance(asked, (list, tuple)) or not all(isinstance(name, str) for name in asked):
            raise Misuse("names must be a list of the words to detect.")
        found = [(self._inference.find(name), name) for name in asked]
        self._names = {word: name for word, name in found if word is not None}
        self._stream, self._has_detected = None, False
        if unknown := [name for word, name in found if word is None]:
            named = ", ".join(repr(name[:80]) for name in unknown[:8])
            here = ", ".join(map(repr, self._inference.words))
            await self.send(Error(text=f"there is no detector of {named} here, only of {here}.", code="unknown-word"))

    async def _start(self, event: Event) -> None:
        self._open(_format(event))

    async def _hear(self, event: Event) -> None:
        """Hear a chunk; a satellite sends them without a start."""
        pcm = _format(event)
        stream = self._stream
        if stream is None or stream.pcm != pcm:
            stream = self._open(pcm)
        timestamp = event.data.get("timestamp")
        for heard in await stream.feed(event.payload or b""):
            await self._detected(heard, timestamp if type(timestamp) is int else None)

    async def _stop(self, event: Event) -> None:
        from wyoming.wake import NotDetected

        if self._stream is not None:
            await self._detected(await self._stream.end(), None)
        if not self._has_detected:
            await self.send(NotDetected())
        self._stream, self._has_detected = None, False

    def _open(self, pcm: Format) -> Stream:
        self._has_detected = False
        self._stream = self._inference.open(self._names, pcm)
        return self._stream

    async def _detected(self, heard: Heard, timestamp: int | None) -> None:
        """Tell of each detection under the name that was asked for, at the chunk's own time or that of the sound."""
        from wyoming.wake import Detection

        for detection in heard.detections:
            self._has_detected = True
            time_ms = round(1000 * detection.time) if timestamp is None else timestamp
            await self.send(Detection(name=self._names[detection.word], timestamp=time_ms))


def _describe(detectors: Iterable[Detector]) -> Event:
    from wyoming.info import Attribution, Info, WakeModel, WakeProgram

    version = version_of(PACKAGE) or ""
    attribution = Attribution(name=PACKAGE, url="")
    artifact: Any = functools.partial(dict, attribution=attribution, installed=True, version=version)
    models = [
        WakeModel(
            **artifact(name=detector.word, description=detector.word, phrase=detector.word),
            languages=[str(detector.metadata.get("language", ""))],
        )
        for detector in detectors
    ]
    program = WakeProgram(**artifact(name=PACKAGE, description="Trigger words made from text"), models=models)
    return Info(wake=[program]).event()


def _format(event: Event) -> Format:
    given = {"rate_hz": "rate", "width": "width", "channels": "channels"}
    values: dict[str, Any] = {ours: event.data.get(theirs) for ours, theirs in given.items()}
    if not all(type(value) is int for value in values.values()):
        raise Misuse(f"{event.type} must tell rate, width and channels as whole numbers.")
    return Format(**values)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Misuse(f"an event must be JSON in UTF-8 ({type(error).__name__}).") from error
    if not isinstance(values, dict):
        raise Misuse("an event must be an object of JSON.")
    return values


def _length(header: dict[str, Any], name: str, most: int) -> int:
    value = header.get(name) or 0
    if type(value) is not int or not 0 <= value <= most:
        raise Misuse(f"{name} must be a whole number from 0 to {most}, got {str(value)[:20]}.")
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
