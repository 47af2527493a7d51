"""The machine's own microphone for the page: PCM over a WebSocket, as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from kws.audio import pcm16
from kws.daemon.source import Gap, Source
from kws.daemon.steady import SteadyMicrophone
from kws.errors import Failure

_TAKEN = "another page listens with this machine's microphone: stop it there first."
_WAITING = 100
"""Chunks that a slow page may lag behind before some are lost."""


def steady(device: str | None) -> Source:
    """The microphone that is opened."""
    return SteadyMicrophone(device, must_be_there=True)


class MicrophoneDoor:
    """Gives it to one page at a time: PortAudio looks for lost devices anew only while none is open."""

    def __init__(self, source: Callable[[str | None], Source] = steady) -> None:
        self._source = source
        self._is_taken = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send s16le at 16 kHz, and what goes wrong as text, until the page goes."""
        socket = web.WebSocketResponse(heartbeat=20, max_msg_size=1024)
        await socket.prepare(request)
        if self._is_taken:
            await socket.send_json({"error": _TAKEN})
            await socket.close()
            return socket
        self._is_taken = True
        reader = _Reader(self._source(request.query.get("device")))
        gone = asyncio.create_task(_until_gone(socket))
        try:
            await _pass_on(reader, socket, gone)
        finally:
            gone.cancel()
            await asyncio.to_thread(reader.stop)
            self._is_taken = False
        await socket.close()
        return socket


async def _pass_on(reader: _Reader, socket: web.WebSocketResponse, gone: asyncio.Task[None]) -> None:
    while True:
        coming = asyncio.create_task(reader.items.get())
        await asyncio.wait((coming, gone), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            coming.cancel()
            return
        item = coming.result()
        with contextlib.suppress(ConnectionError):
            if isinstance(item, dict):
                await socket.send_json(item)
                if "error" in item:
                    return
            else:
                await socket.send_bytes(item)


async def _until_gone(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return


class _Reader:
    """Reads a source on a thread of its own."""

    def __init__(self, source: Source) -> None:
        self.items: asyncio.Queue[bytes | dict[str, Any]] = asyncio.Queue(_WAITING)
        self._loop = asyncio.get_running_loop()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of the microphone."""
        self._ends.set()
        self._thread.join()

    def _read(self, source: Source) -> None:
        has_begun = False
        try:
            with contextlib.closing(iter(source)) as items:
                for item in items:
                    if self._ends.is_set():
                        return
                    has_begun |= not isinstance(item, Gap)
                    if not has_begun:  # what is missing before the first sound, nobody misses
                        continue
                    self._give({"gap": item.why} if isinstance(item, Gap) else pcm16(item).tobytes())
            self._give({"error": "there is no more sound."})
        except Failure as failure:
            self._give({"error": str(failure)})

    def _give(self, item: bytes | dict[str, Any]) -> None:
        def put() -> None:
            if self.items.full():
                self.items.get_nowait()
            self.items.put_nowait(item)

        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(put)
