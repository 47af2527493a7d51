"""The WebSocket as a browser meets it: PCM in, detections out, and nothing else for pages of elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wyoming", reason="wyoming is not installed: pip install 'activate-kws[service]'")
pytest.importorskip("websockets", reason="websockets is not installed: pip install 'activate-kws[service]'")

import soxr
from serving import cut, demo_pcm, heard_alone, send_raw, talk
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kws.audio import RATE_HZ
from kws.detector import load
from kws.serve.gate import Limits
from kws.serve.server import Server

DEMO = demo_pcm()


def join(server: Server, query: str = "", **more: Any) -> connect:
    """A connection to the WebSocket."""
    host, port = server.addresses["WebSocket"]
    return connect(f"ws://{host}:{port}/{query}", **more)


async def told(socket: ClientConnection) -> list[dict[str, Any]]:
    """All that comes until the server has answered the closing."""
    await (await socket.ping())  # the answer comes after all that was sent has been heard
    await socket.close()
    return [json.loads(message) async for message in socket]


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """With which code and reason the server closes."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in socket:
            pass
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


def test_the_bundled_recording_is_heard_as_the_detector_hears_it() -> None:
    async def conversation(server: Server) -> None:
        async with join(server) as socket:
            hello = json.loads(await socket.recv())
            assert hello == {"type": "hello", "words": ["activate"], "rate": RATE_HZ, "frame_seconds": 0.03}
            for piece in cut(DEMO, 4096):
                await socket.send(piece.tobytes())
            found = await told(socket)
        assert [(each["word"], each["time"]) for each in found] == heard_alone(DEMO)
        assert all(each["type"] == "detection" and each["end"] < each["time"] and each["score"] > 0.5 for each in found)

    talk(conversation)


def test_another_rate_and_one_of_several_words_stand_in_the_address(tiny_detector_path: Path) -> None:
    sound = DEMO[: 8 * RATE_HZ]
    other = (soxr.resample(sound / 32768, RATE_HZ, 48_000) * 32767).clip(-32768, 32767).astype("<i2")

    async def conversation(server: Server) -> None:
        async with join(server, "?rate=48000&words=Activate") as socket:
            assert json.loads(await socket.recv())["words"] == ["activate"]
            for piece in cut(other, 20_000):
                await socket.send(piece.tobytes())
            times = [each["time"] for each in await told(socket)]
        assert times == pytest.approx([time for _, time in heard_alone(sound)], abs=0.07)

    talk(conversation, load("activate"), load(tiny_detector_path, threshold=0.2))


def test_scores_come_with_each_chunk_if_asked_for(tiny_detector_path: Path) -> None:
    async def conversation(server: Server) -> None:
        async with join(server, "?scores=1") as socket:
            for _ in range(3):
                await socket.send(bytes(3200))
            hello, *scores = await told(socket)
        assert hello["words"] == ["activate", "test"]
        assert [(each["type"], each["time"]) for each in scores] == [("scores", 0.1), ("scores", 0.2), ("scores", 0.3)]
        assert all(set(each["scores"]) == {"activate", "test"} for each in scores)

    talk(conversation, load("activate"), load(tiny_detector_path, threshold=1))


def test_a_message_in_fragments_is_one_message() -> None:
    async def conversation(server: Server) -> None:
        async with join(server, "?scores=1") as socket:
            await socket.send([bytes(1001), bytes(0), bytes(2199)])
            assert [each["type"] for each in await told(socket)] == ["hello", "scores"]

    talk(conversation)


@pytest.mark.parametrize(
    ("query", "message", "code", "reason"),
    [
        ("", "hello", 1003, "send sound as binary messages"),
        ("", b"odd", 1008, "3 bytes of sound are not a whole number of samples"),
        ("", bytes(2**18 + 2), 1009, "262146 bytes"),
        ("?rate=1", b"", 1008, "the rate must be from 8000"),
        ("?rate=-16000", b"", 1008, "rate must be a whole number of Hertz"),
        ("?rate=9999999999", b"", 1008, "rate must be a whole number of Hertz"),
        ("?words=nobody", b"", 1008, "'nobody' are not all heard here: choose of activate"),
        ("?volume=3", b"", 1008, "'volume' is not known here: choose of rate, words, scores"),
        ("/[?volume=3", b"", 1008, "'volume' is not known here"),
        ("?scores=yes", b"", 1008, "scores must be 0 or 1"),
    ],
)
def test_a_wrong_message_or_address_closes_with_its_reason(
    query: str, message: str | bytes, code: int, reason: str
) -> None:
    async def conversation(server: Server) -> None:
        async with join(server, query) as socket:
            if message:
                await socket.send(message)
            code_told, reason_told = await closed(socket)
        assert (code_told, reason in reason_told) == (code, True), reason_told
        assert len((await send_raw(server, b"GET / HTTP/1.1\r\n\r\n", "WebSocket")).splitlines()[0]) > 12

    talk(conversation)


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        (None, True),
        ("http://localhost:8080", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:3000", True),
        ("https://home.example", True),
        ("https://evil.example", False),
        ("https://home.example.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("null", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_pages_of_elsewhere_may_not_connect_unless_named(origin: str | None, may: bool) -> None:
    async def conversation(server: Server) -> None:
        headers = {} if origin is None else {"Origin": origin}
        if may:
            async with join(server, additional_headers=headers) as socket:
                assert json.loads(await socket.recv())["type"] == "hello"
        else:
            with pytest.raises(InvalidStatus) as refused:
                await join(server, additional_headers=headers)
            assert refused.value.response.status_code == 403
            assert b"--allow-origin" in bytes(refused.value.response.body or b"")

    talk(conversation, wyoming=None, origins=("https://home.example",))


@pytest.mark.parametrize(("host", "may"), [("mirror.lan", True), ("evil.example", False)])
def test_a_server_open_to_the_house_lets_in_pages_of_its_own_name(host: str, may: bool) -> None:
    request = (
        f"GET / HTTP/1.1\r\nHost: mirror.lan:10401\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()

    async def conversation(server: Server) -> None:
        server.addresses["WebSocket"] = "127.0.0.1", server.addresses["WebSocket"][1]
        answer = await send_raw(server, request, "WebSocket")
        assert answer.startswith(b"HTTP/1.1 101" if may else b"HTTP/1.1 403")

    talk(conversation, wyoming=None, websocket=("0.0.0.0", 0))


def test_one_client_too_many_gets_a_page_that_says_so() -> None:
    async def conversation(server: Server) -> None:
        async with join(server):
            with pytest.raises(InvalidStatus) as refused:
                await join(server)
            assert refused.value.response.status_code == 503
            assert b"there are 1 clients already" in bytes(refused.value.response.body or b"")

    talk(conversation, limits=Limits(clients=1))


@pytest.mark.parametrize("request_", [b"", b"GET", b"GET / HTTP/1.1\r\nA: b\r\n", b"\x16\x03\x01\x02"])
def test_a_client_without_a_handshake_is_closed(request_: bytes) -> None:
    async def conversation(server: Server) -> None:
        reader, writer = await asyncio.open_connection(*server.addresses["WebSocket"])
        writer.write(request_)
        assert await reader.read() == b""
        writer.close()

    talk(conversation, limits=Limits(first_s=0.2))


def test_a_page_that_falls_silent_is_closed() -> None:
    async def conversation(server: Server) -> None:
        async with join(server) as socket:
            await socket.recv()
            await socket.ping()
            assert await closed(socket) == (1008, "no whole message came for 0.2 s.")

    talk(conversation, limits=Limits(idle_s=0.2))


def test_all_are_told_when_the_server_ends() -> None:
    sockets: list[ClientConnection] = []

    async def conversation(server: Server) -> None:
        sockets.append(await join(server))
        await sockets[0].recv()
        await server.__aexit__(None, None, None)
        assert await closed(sockets[0]) == (1001, "the server ends")

    talk(conversation)
