"""The studio's server in a thread of the test, with a stand-in for `kws new` and for whoever speaks."""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from aiohttp import web

from kws.audio import RATE_HZ, Samples, pcm16, write_audio
from kws.demo import read_demo
from kws.studio.app import Studio
from kws.studio.making import Making
from kws.studio.microphone import MicrophoneDoor, steady
from kws.studio.words import Order, Words

PATIENCE_S = 30


_KWS_NEW = """
import json, os, pathlib, shutil, signal, sys, time
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--out") + 1])
out.mkdir(exist_ok=True)
(out / "asked.json").write_text(json.dumps(words))
def stop(*_):
    print("kws: stopped at 4/6 training", flush=True)
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
told = {"stage": "training", "number": 4, "of": 6, "done": 1, "total": 2, "unit": "step"}
print(json.dumps(told), file=sys.stderr, flush=True)
print("speaking", flush=True)
deadline = time.monotonic() + 30
while not pathlib.Path("go").exists():
    if time.monotonic() > deadline:
        sys.exit(3)
    time.sleep(0.02)
if pathlib.Path("fail").exists():
    print("kws: the disk is full: free some space.", file=sys.stderr)
    sys.exit(1)
shutil.copy(DETECTOR, out / f"{out.name}.onnx")
(out / "verdict.txt").write_text("it is good\\n")
"""
"""A `kws new` that waits until a file named go is there, and fails if one named fail is."""


def made_by(detector: Path) -> str:
    """The stand-in that copies a detector."""
    return f"DETECTOR = {str(detector)!r}\n{_KWS_NEW}"


class Tones:
    """Who speaks: a tone, whatever is asked."""

    def examined(self, order: Order) -> dict[str, Any]:
        return {"grade": "good", "phones": list(order.word)}

    def said(self, order: Order) -> Iterator[tuple[str, str, Samples]]:
        for number in range(2):
            tone = np.sin(np.arange(RATE_HZ) * (0.1 + 0.1 * number))
            yield "tone", f"{order.language}-{number}", tone.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(kw_only=True)
class Client:
    """Speaks with it as the page does, or as somebody else would."""

    port: int
    key: str
    folder: Path
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?key={self.key}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Any request; `body` is bytes, or goes as JSON. Headers are named with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        own = {"Cookie": f"kws_studio={self.key}", **self.headers}
        connection.request(method, path, content, {**own, **named})
        answer = connection.getresponse()
        told = Answer(status=answer.status, headers=dict(answer.getheaders()), content=answer.read())
        connection.close()
        return told

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.content
        return answer.json

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.ask("POST", path, body if body is not None else {})
        assert answer.status < 300, answer.content
        return answer.json


@contextmanager
def running(
    folder: Path, runtime: Path, program: str = "", *, microphone: Any = None, speech: Any = None
) -> Iterator[Client]:
    """The server of a folder; `program` stands in for `kws`: Python that finds its arguments in sys.argv."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    told: dict[str, Any] = {}

    async def serve() -> None:
        words = Words(folder=folder)
        making = Making(words, (sys.executable, "-c", program)) if program else Making(words)
        source: Any = microphone or steady
        studio = Studio(
            folder=folder, runtime=runtime, speech=speech or Tones(), making=making, words=words,
            microphone=MicrophoneDoor(source),
        )  # fmt: skip
        runner = web.AppRunner(studio.app(), shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.update(port=runner.addresses[0][1], key=studio.guard.key, ends=asyncio.Event())
        ready.set()
        await told["ends"].wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield Client(port=told["port"], key=told["key"], folder=folder)
    finally:
        loop.call_soon_threadsafe(told["ends"].set)
        thread.join(PATIENCE_S)
        loop.close()


def until(holds: Callable[[], Any]) -> Any:
    """What it gives as soon as that is anything."""
    give_up = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return found


def take(gain: float = 1.0) -> bytes:
    """Three seconds into which a word is said."""
    demo = read_demo()
    said = demo.positives[0]
    sound, _ = soundfile.read(demo.audio, dtype="float32")
    word = sound[round(said.start * RATE_HZ) : round(said.end * RATE_HZ)]
    samples = np.random.default_rng(0).normal(0, 1e-4, 3 * RATE_HZ).astype(np.float32)
    samples[RATE_HZ : RATE_HZ + len(word)] += gain * word
    return pcm16(samples).tobytes()


def reported(client: Client, detector: Path) -> None:
    """A word that is made, whose report tells of a miss and two false accepts."""
    out = client.folder / "lantern"
    (out / "report").mkdir(parents=True)
    (out / "lantern.onnx").write_bytes(detector.read_bytes())
    tone = (0.1 * np.sin(np.arange(8 * RATE_HZ) * 0.3)).astype(np.float32)
    for place in ("positives/clean/audio/0.flac", "negatives/made_talk/0000_abc.flac"):
        (out / "trials" / place).parent.mkdir(parents=True)
        write_audio(out / "trials" / place, tone)
    about = {"condition": "clean", "voice": "tone:a"}
    missed = {"file": "clean/audio/0.flac", "start": 2.0, "end": 2.7, "best_score": 0.3, "about": about}
    accepts = [{"file": "made_talk/0000_abc.flac", "time": time_s, "score": time_s / 10} for time_s in (3.0, 5.0)]
    report = {"positives": {"misses": [missed]}, "negatives": {"accepts": accepts}}
    (out / "report" / "report.json").write_text(json.dumps(report))
    (out / "report" / "report.html").write_text("<!doctype html><style>p{}</style><p>the report")
    client.ask("POST", "/api/words/lantern/recordings?kind=negatives&word=lantern", take())
