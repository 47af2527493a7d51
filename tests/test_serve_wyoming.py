"""The server as the clients of Wyoming meet it: the library's own client hears what the detector hears."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("wyoming", reason="wyoming is not installed: pip install 'activate-kws[service]'")

import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import (
    PATIENCE_S,
    connected,
    demo_pcm,
    detections,
    hear,
    heard_alone,
    line,
    said,
    send_raw,
    send_sound,
    talk,
)
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.wake import Detect, NotDetected

from kws.audio import RATE_HZ, Samples
from kws.detector import load
from kws.errors import Failure, Misuse
from kws.listener import Heard, Listener
from kws.serve.gate import Limits
from kws.serve.server import Server

DEMO = demo_pcm()
ALONE = heard_alone(DEMO)
OURS = {"rate": RATE_HZ, "width": 2, "channels": 1}


async def close_told(client: AsyncClient) -> str:
    """The reason that the server gives before it closes."""
    event = await client.read_event()
    assert event is not None and Error.is_type(event.type)
    assert await client.read_event() is None
    return Error.from_event(event).text


async def alive(server: Server) -> bool:
    """Whether it still answers."""
    async with connected(server) as client:
        return await detections(client) == []


def test_the_bundled_recording_is_heard_as_the_detector_hears_it() -> None:
    async def conversation(server: Server) -> None:
        assert await hear(server, DEMO) == ALONE

    assert len(ALONE) > 4
    talk(conversation)


def test_several_clients_at_once_hear_the_same_as_alone() -> None:
    first, second = DEMO[: 20 * RATE_HZ], DEMO[12 * RATE_HZ : 25 * RATE_HZ]

    async def conversation(server: Server) -> None:
        sounds = [first, second, first, second]
        found = await asyncio.gather(
            *(hear(server, sound, size=size) for sound, size in zip(sounds, (4096, 2000, 3000, 99_999), strict=True))
        )
        assert found == [heard_alone(sound) for sound in sounds]

    talk(conversation)


@pytest.mark.parametrize(("rate_hz", "channels", "kind"), [(44_100, 2, "<i2"), (8_000, 1, "<i2"), (16_000, 3, "<i4")])
def test_sound_of_another_format_is_converted(rate_hz: int, channels: int, kind: str) -> None:
    sound = DEMO[: 20 * RATE_HZ]
    mono = soxr.resample(sound / 32768, RATE_HZ, rate_hz)
    loudest = np.iinfo(kind).max
    other = np.stack([mono * loudest] + [mono * loudest] * (channels - 1), axis=1).clip(-loudest, loudest).astype(kind)

    async def conversation(server: Server) -> None:
        found = await hear(server, other, rate_hz, size=5000)
        expected = heard_alone(sound)
        if rate_hz > RATE_HZ // 2:
            assert [word for word, _ in found] == [word for word, _ in expected]
            assert [time for _, time in found] == pytest.approx([time for _, time in expected], abs=0.07)
        else:
            assert found, "half the band is gone, yet it is heard"

    talk(conversation)


def test_the_server_describes_its_words(tiny_detector_path: Path) -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            await client.write_event(Describe().event())
            event = await client.read_event()
        assert event is not None
        (program,) = Info.from_event(event).wake
        assert program.installed
        assert [(model.name, model.phrase, model.languages, model.installed) for model in program.models] == [
            ("activate", "activate", ["en-us"], True),
            ("test", "test", ["en"], True),
        ]

    talk(conversation, load("activate"), load(tiny_detector_path))


@pytest.mark.parametrize(("names", "words"), [(None, {"activate", "test"}), (["Test"], {"Test"}), (["test"], {"test"})])
def test_only_the_words_asked_for_are_detected(
    tiny_detector_path: Path, names: list[str] | None, words: set[str]
) -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            await client.write_event(Detect(names=names).event())
            await send_sound(client, DEMO[: 8 * RATE_HZ])
            assert {word for word, _ in await detections(client)} == words

    talk(conversation, load("activate"), load(tiny_detector_path, threshold=0.2))


def test_a_word_that_is_not_here_is_told_and_never_detected() -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            await client.write_event(Detect(names=["okay_nabu"]).event())
            event = await client.read_event()
            assert event is not None
            assert Error.from_event(event).text == "there is no detector of 'okay_nabu' here, only of 'activate'."
            await send_sound(client, DEMO[: 8 * RATE_HZ])
            assert await detections(client) == [("", 0.0)]

    talk(conversation)


def test_a_satellite_need_not_start_a_stream_and_may_ask_anew() -> None:
    sound = DEMO[: 8 * RATE_HZ]

    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            for _ in range(2):
                await client.write_event(Detect().event())
                await send_sound(client, sound, start=False)
                assert await detections(client) == heard_alone(sound)

    talk(conversation)


def test_a_stream_in_which_nothing_was_heard_ends_with_not_detected() -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            await send_sound(client, np.zeros(RATE_HZ, np.int16))
            event = await client.read_event()
            assert event is not None and NotDetected.is_type(event.type)

    talk(conversation)


def test_a_detection_carries_the_time_of_the_chunk_it_came_with() -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            await client.write_event(AudioStart(rate=RATE_HZ, width=2, channels=1).event())
            sound = DEMO[: 5 * RATE_HZ].tobytes()
            await client.write_event(AudioChunk(RATE_HZ, 2, 1, sound, timestamp=12_345).event())
            assert await detections(client) == [("activate", 12.345)]

    talk(conversation)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"\xff\xfe garbage\n", "an event must be JSON"),
        (b"[" * 60_000 + b"\n", "an event must be JSON"),
        (b"7\n", "an object of JSON"),
        (b"x" * 200_000, "must end within 65536 bytes"),
        (line(type=3), "must have a type"),
        (line(type="detect", data=[1]), "must have a type"),
        (line(type="audio-chunk", payload_length=10**9), "payload_length must be a whole number from 0 to 262144"),
        (line(type="audio-chunk", data_length=10**9), "data_length must be a whole number from 0 to 65536"),
        (line(type="audio-chunk", payload_length=-5), "got -5"),
        (line(type="audio-chunk", payload_length=1.5), "got 1.5"),
        (line(type="audio-chunk", payload_length=True), "got True"),
        (line(type="detect", data_length=3) + b"[1]", "an object of JSON"),
        (line(type="detect", data={"names": "activate"}), "names must be a list"),
        (line(type="audio-start", data={"rate": "16000", "width": 2, "channels": 1}), "as whole numbers"),
        (line(type="audio-start", data={"rate": 1, "width": 2, "channels": 1}), "the rate must be from 8000"),
        (line(type="audio-start", data={"rate": 16000, "width": 1, "channels": 1}), "the width must be 2 or 4"),
        (line(type="audio-start", data={"rate": 16000, "width": 2, "channels": 10**9}), "the number of channels"),
        (line(type="audio-chunk", data=OURS, payload_length=3) + b"abc", "3 bytes of sound are not a whole number"),
    ],
)  # fmt: skip
def test_what_breaks_the_protocol_is_told_and_closed(sent: bytes, told: str) -> None:
    async def conversation(server: Server) -> None:
        events = said(await send_raw(server, sent))
        assert [event.type for event in events] == ["error"]
        assert told in events[0].data["text"]
        assert await alive(server)

    talk(conversation, websocket=None)


def test_a_huge_message_is_refused_before_it_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            assert client._writer is not None
            client._writer.write(line(type="audio-chunk", payload_length=10**9))
            assert "payload_length" in await close_told(client)

    talk(conversation)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["a Wyoming client was closed"]


def test_a_client_that_says_nothing_or_half_of_something_is_closed() -> None:
    async def conversation(server: Server) -> None:
        for start in (b"", b'{"type": "pi'):
            reader, writer = await asyncio.open_connection(*server.addresses["Wyoming"])
            writer.write(start)
            assert said(await reader.read())[0].data["text"] == "no whole message came for 0.2 s."
            writer.close()

    talk(conversation, limits=Limits(first_s=0.2))


def test_a_client_that_does_not_read_its_answers_is_closed() -> None:
    async def conversation(server: Server) -> None:
        before = await settled()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, server.addresses["Wyoming"])
            with contextlib.suppress(ConnectionError):
                while True:
                    await loop.sock_sendall(deaf, line(type="ping", data={"text": "x" * 60_000}))
        assert await settled() == before

    talk(conversation, limits=Limits(send_s=0.5))


def test_one_client_too_many_is_told_so_and_the_next_finds_room() -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as first, connected(server) as second:
            assert await detections(first) == await detections(second) == []
            async with connected(server) as third:
                assert "there are 2 clients already" in await close_told(third)
        while True:
            async with connected(server) as fourth:
                await fourth.write_event(Describe().event())
                event = await fourth.read_event()
                if event is not None and Info.is_type(event.type):
                    break

    talk(conversation, limits=Limits(clients=2))


def test_a_client_that_sends_faster_than_it_is_heard_is_held_back_and_not_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()
    feed = Listener.feed

    def wait(self: Listener, chunk: Samples) -> Heard:
        go.wait(PATIENCE_S)
        return feed(self, chunk)

    monkeypatch.setattr(Listener, "feed", wait)

    async def conversation(server: Server) -> None:
        large = np.tile(DEMO.astype("<i4")[:, None] << 16, 8)
        assert large.nbytes > 25e6
        async with connected(server) as client:
            sending = asyncio.create_task(send_sound(client, large, size=8192))
            done, _ = await asyncio.wait([sending], timeout=0.5)
            assert not done, "all was taken in while nothing was heard"
            go.set()
            await sending
            assert await detections(client) == ALONE

    talk(conversation)


async def settled() -> tuple[int, int]:
    """Threads and open files once every client has been seen out."""
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.01)
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


garbage = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: line(type="detect", data=value)),
    st.dictionaries(
        st.sampled_from(["rate", "width", "channels", "names", "text", "timestamp"]),
        st.none() | st.integers(-5, 200_000) | st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=3),
    ).flatmap(
        lambda data: st.sampled_from(["audio-start", "audio-chunk", "audio-stop", "detect", "ping", "describe"]).map(
            lambda kind: line(type=kind, data=data, payload_length=8) + b"\x01\x80" * 4
        )
    ),
)


def test_whatever_is_sent_the_server_lives_and_does_not_grow(caplog: pytest.LogCaptureFixture) -> None:
    async def conversation(server: Server) -> None:
        loop = asyncio.get_running_loop()

        def send(examples: int) -> None:
            @settings(deadline=None, max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
            @given(parts=st.lists(garbage, max_size=4), door=st.sampled_from(["Wyoming", "WebSocket"]))
            def send_some(parts: list[bytes], door: str) -> None:
                sent = asyncio.run_coroutine_threadsafe(send_raw(server, b"".join(parts), door), loop)
                sent.result(PATIENCE_S)

            send_some()

        with ThreadPoolExecutor(1) as sender:  # the loop's own may start a second thread
            await loop.run_in_executor(sender, send, 10)
            before = await settled()
            await loop.run_in_executor(sender, send, 60)
            assert await settled() == before
        assert await hear(server, DEMO[: 5 * RATE_HZ]) == ALONE[:1]

    talk(conversation)
    assert 1 <= len(caplog.records) <= 12, "the log is spared"
    assert not any("fault of ours" in record.message for record in caplog.records)


def test_two_detectors_of_one_word_cannot_be_told_apart(tiny_detector_path: Path) -> None:
    with pytest.raises(Misuse, match="'test', 'test' two are the same"):
        talk(alive, load(tiny_detector_path), load(tiny_detector_path))  # type: ignore[arg-type]


def test_a_port_in_use_is_told_in_one_sentence() -> None:
    async def conversation(server: Server) -> None:
        with pytest.raises(Failure, match=r"cannot serve Wyoming on 127.0.0.1:\d+ \(.*in use.*--wyoming HOST:PORT"):
            await asyncio.to_thread(talk, conversation, wyoming=server.addresses["Wyoming"])

    talk(conversation)


def test_the_stop_is_answered_even_without_sound() -> None:
    async def conversation(server: Server) -> None:
        async with connected(server) as client:
            await client.write_event(AudioStop().event())
            assert await detections(client) == [("", 0.0)]

    talk(conversation)
