"""What the studio's server keeps, and what it gives the page."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from aiohttp import ClientSession, WSMsgType
from studio_server import PATIENCE_S, Client, running, take, until

from kws.audio import RATE_HZ, Samples, pcm16, write_audio
from kws.daemon.source import Gap, Played
from kws.events import Event, Recording, to_line
from kws.sources import NoMicrophone


def test_a_take_is_judged_trimmed_and_kept_or_not(client: Client) -> None:
    path = "/api/words/hey-nova/recordings?kind=positives&word=hey%20nova"
    good = client.ask("POST", path, take()).json
    assert (good["fault"], good["heard"], good["kept"]["file"]) == ("", True, "hey-nova-001.flac")
    assert 0.3 < good["kept"]["seconds"] < 1.2
    loud = client.ask("POST", path, take(50)).json
    assert "clipped" in loud["fault"]
    assert loud["kept"] is None
    assert client.ask("POST", f"{path}&keep=anyway", take(50)).json["kept"]["file"] == "hey-nova-002.flac"
    silent = client.ask("POST", f"{path}&keep=anyway", bytes(96_000)).json
    assert (silent["kept"], silent["heard"]) == (None, False)
    kept = client.get("/api/words/hey-nova/recordings")["positives"]
    assert [each["file"] for each in kept] == ["hey-nova-001.flac", "hey-nova-002.flac"]
    sound = client.ask("GET", "/" + kept[0]["url"])
    assert soundfile.info(io.BytesIO(sound.content)).samplerate == RATE_HZ
    assert client.ask("DELETE", "/" + kept[1]["url"]).status == 204
    assert client.ask("DELETE", "/" + kept[1]["url"]).status == 404
    assert [path.name for path in (client.folder / "recordings" / "hey-nova").iterdir()] == ["hey-nova-001.flac"]
    (word,) = client.get("/api/words")
    assert (word["word"], word["state"], word["recordings"]["positives"]) == ("hey nova", "none", 1)


def test_talk_and_background_lie_where_kws_new_looks_for_them(client: Client, tmp_path: Path) -> None:
    client.ask("POST", "/api/words/lantern/recordings?kind=negatives&word=lantern", take())
    write_audio(tmp_path / "our kitchen.ogg", np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ).astype(np.float32))
    content = (tmp_path / "our kitchen.ogg").read_bytes()
    kept = client.ask("PUT", "/api/words/lantern/backgrounds/our%20kitchen.ogg", content).json["kept"]
    assert kept["seconds"] == pytest.approx(3, abs=0.1)
    folder = client.folder / "recordings" / "without-lantern"
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.flac"))
    assert found == ["noise/our-kitchen.flac", "talk-001.flac"]
    told = client.get("/api/words/lantern/recordings")
    assert {kind: len(some) for kind, some in told.items()} == {"positives": 0, "negatives": 1, "backgrounds": 1}


def test_phrases_are_examined_and_said(client: Client) -> None:
    assert client.post("/api/phrase", {"word": "ab"}) == {"grade": "good", "phones": ["a", "b"]}
    said = client.post("/api/samples", {"word": "ab", "language": "de"})
    assert [(each["engine"], each["voice"]) for each in said] == [("tone", "de-0"), ("tone", "de-1")]
    again = client.post("/api/samples", {"word": "ab"})
    assert said[0]["url"] != again[0]["url"], "a browser would play the sound that it has"
    sound = client.ask("GET", "/" + again[1]["url"])
    assert soundfile.info(io.BytesIO(sound.content)).duration == 1.0


def test_datasets_are_browsed_page_by_page(client: Client) -> None:
    folder = client.folder / "data" / "home"
    (folder / "audio").mkdir(parents=True)
    lines = []
    for number in range(5):
        path = folder / "audio" / f"{number}.flac"
        write_audio(path, np.full(RATE_HZ, 0.1 * number, np.float32))
        events = (Event(word="lantern", start=0.1, end=0.4 + number / 10, kind="positive"),)
        lines.append(to_line(Recording(audio=path, duration=1.0, events=events, about={"snr_db": number}), folder))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    assert client.get("/api/datasets") == [{"name": "data/home", "clips": 5, "seconds": 5.0}]
    page = client.get("/api/datasets/scenes?name=data/home&first=3&count=24")
    assert page["total"] == 5
    assert [scene["number"] for scene in page["scenes"]] == [3, 4]
    assert page["scenes"][1]["events"] == [{"word": "lantern", "start": 0.1, "end": 0.8, "kind": "positive"}]
    sound = client.ask("GET", "/" + page["scenes"][1]["url"])
    assert soundfile.read(io.BytesIO(sound.content))[0].mean() == pytest.approx(0.4, abs=1e-3)


async def heard(client: Client, count: int) -> list[Any]:
    """What comes over the microphone's WebSocket: bytes, and JSON as it is."""
    cookies = {"Cookie": f"kws_studio={client.key}"}
    async with (
        ClientSession(headers=cookies) as session,
        session.ws_connect(f"http://127.0.0.1:{client.port}/api/microphone") as line,
    ):
        messages = [await line.receive(PATIENCE_S) for _ in range(count)]
    return [each.data if each.type is WSMsgType.BINARY else json.loads(each.data) for each in messages]


def test_the_machines_microphone_is_passed_on_with_its_gaps(tmp_path: Path) -> None:
    sound: Samples = np.linspace(-1, 1, 1280).astype(np.float32)

    def chunks() -> Iterator[Samples | Gap]:
        yield Gap(why="it has just begun")
        yield sound
        yield Gap(why="it was unplugged")
        yield sound
        raise NoMicrophone("there is no microphone: plug one in.")

    with running(tmp_path, tmp_path, microphone=lambda _: Played(name="stub", chunks=chunks())) as client:
        first, gap, again, error = asyncio.run(heard(client, 4))
        assert np.frombuffer(first, "<i2").tolist() == pcm16(sound).tolist()
        assert first == again
        assert gap == {"gap": "it was unplugged"}
        assert error == {"error": "there is no microphone: plug one in."}


def test_one_page_at_a_time_has_the_microphone(tmp_path: Path) -> None:
    closed: list[bool] = []

    def endless() -> Iterator[Samples]:
        try:
            while True:
                time.sleep(0.01)
                yield np.zeros(1280, np.float32)
        finally:
            closed.append(True)

    async def both(client: Client) -> Any:
        cookies = {"Cookie": f"kws_studio={client.key}"}
        address = f"http://127.0.0.1:{client.port}/api/microphone"
        async with ClientSession(headers=cookies) as session, session.ws_connect(address) as line:
            await line.receive(PATIENCE_S)
            return await heard(client, 1)

    with running(tmp_path, tmp_path, microphone=lambda _: Played(name="stub", chunks=endless())) as client:
        (told,) = asyncio.run(both(client))
        assert "another page listens" in told["error"]
        until(lambda: closed)
        (sound,) = asyncio.run(heard(client, 1))
        assert len(sound) == 2560
