"""A server to talk to, in this process, and what clients say to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from kws.audio import RATE_HZ, read_audio
from kws.demo import read_demo
from kws.detector import Detector, load
from kws.serve.gate import Limits
from kws.serve.server import Doors, Server

PATIENCE_S = 60.0
"""A busy machine is slow, and what hangs must not hang for ever."""

Heard = list[tuple[str, float]]


def demo_pcm() -> NDArray[np.int16]:
    """The bundled recording."""
    return (read_audio(read_demo().audio) * 32767).astype(np.int16)


def heard_alone(pcm: NDArray[np.int16]) -> Heard:
    """What the detector hears in all of it at once."""
    return [(found.word, round(found.time, 3)) for found in load("activate").feed(pcm)]


def talk(
    conversation: Callable[[Server], Awaitable[None]], *detectors: Detector, limits: Limits | None = None, **doors: Any
) -> None:
    """Open a server at free ports and talk to it."""

    async def run() -> None:
        places: dict[str, Any] = {"wyoming": ("127.0.0.1", 0), "websocket": ("127.0.0.1", 0)} | doors
        async with (
            asyncio.timeout(PATIENCE_S),
            Server(detectors or [load("activate")], Doors(**places), limits) as server,
        ):
            await conversation(server)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncIterator[AsyncClient]:
    """The library's client of Wyoming, connected."""
    host, port = server.addresses["Wyoming"]
    async with AsyncClient.from_uri(f"tcp://{host}:{port}", read_timeout=PATIENCE_S) as client:
        yield client


async def send_sound(
    client: AsyncClient, sound: NDArray[Any], rate_hz: int = RATE_HZ, size: int = 4096, *, start: bool = True
) -> None:
    """Send (S,) or (S, channels) samples in chunks, from start to stop."""
    form = {"rate": rate_hz, "width": sound.itemsize, "channels": sound.shape[1] if sound.ndim == 2 else 1}
    if start:
        await client.write_event(AudioStart(**form).event())
    for piece in cut(sound, size):
        await client.write_event(AudioChunk(**form, audio=piece.tobytes()).event())
    await client.write_event(AudioStop().event())


async def detections(client: AsyncClient) -> Heard:
    """What is detected until the answer to a ping, which a client sends last."""
    await client.write_event(Ping(text="end").event())
    found: Heard = []
    while (event := await client.read_event()) is not None and not Pong.is_type(event.type):
        if Detection.is_type(event.type):
            detection = Detection.from_event(event)
            found.append((str(detection.name), (detection.timestamp or 0) / 1000))
        else:
            assert NotDetected.is_type(event.type)
            found.append(("", 0.0))
    assert event is not None, "the server closed the connection"
    return found


async def hear(server: Server, sound: NDArray[Any], rate_hz: int = RATE_HZ, size: int = 4096) -> Heard:
    """What one client hears of the sound."""
    async with connected(server) as client:
        await client.write_event(Detect(names=["activate"]).event())
        await send_sound(client, sound, rate_hz, size)
        return await detections(client)


async def send_raw(server: Server, data: bytes, door: str = "Wyoming") -> bytes:
    """Send bytes and the end of them; all that comes back before the server closes."""
    reader, writer = await asyncio.open_connection(*server.addresses[door])
    answer = b""
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


def cut(sound: NDArray[Any], size: int) -> Iterator[NDArray[Any]]:
    """Chunks of so many samples."""
    for first in range(0, len(sound), size):
        yield sound[first : first + size]


def line(**header: Any) -> bytes:
    """An event's first line."""
    return json.dumps(header).encode() + b"\n"


def said(answer: bytes) -> list[Event]:
    """The events in an answer."""
    events = []
    while answer:
        first, _, answer = answer.partition(b"\n")
        header = json.loads(first)
        data, answer = answer[: header.get("data_length", 0)], answer[header.get("data_length", 0) :]
        events.append(Event(type=header["type"], data=header.get("data", {}) | json.loads(data or b"{}")))
    return events
