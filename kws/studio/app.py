"""The studio's server: which address does what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from aiohttp import web

from kws.audio import Samples, encoded
from kws.detector import SHIPPED, Model
from kws.errors import Failure
from kws.runtime import PACKAGE, version_of
from kws.sources import NoMicrophone, input_devices
from kws.studio.browser_runtime import FILES, is_there
from kws.studio.exchange import LARGEST, Answering, among, asked_json, sent, serving, whole_number
from kws.studio.guard import Guard
from kws.studio.making import Making
from kws.studio.microphone import MicrophoneDoor
from kws.studio.scenes import Datasets
from kws.studio.word_door import WordDoor
from kws.studio.words import Order, Words

WEB = Path(__file__).parent / "web"


class Speech(Protocol):
    """What needs the other half of the house: words looked at and spoken."""

    def examined(self, order: Order) -> dict[str, Any]:
        """What the phrase doctor says, and the neighbours."""

    def said(self, order: Order) -> Iterable[tuple[str, str, Samples]]:
        """A few samples: engine, voice, sound (S,)."""


@dataclass(kw_only=True)
class Studio:
    """What the addresses serve."""

    folder: Path
    runtime: Path
    """Where onnxruntime-web lies."""
    speech: Speech
    making: Making
    words: Words
    microphone: MicrophoneDoor = field(default_factory=MicrophoneDoor)
    guard: Guard = field(default_factory=Guard)
    _samples: dict[str, bytes] = field(default_factory=dict)
    _times_spoken: int = 0
    """So that a browser takes no sample for one of an earlier time."""
    _speaking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def app(self) -> web.Application:
        """The application, to be run on loopback."""
        app = web.Application(middlewares=[self.guard.admit], client_max_size=LARGEST)
        route = app.router.add_route
        for asset in sorted(WEB.iterdir()):
            route("GET", "/" if asset.name == "index.html" else f"/{asset.name}", serving(asset))
        for name in FILES:
            route("GET", f"/runtime/{name}", serving(self.runtime / name))
        route("GET", "/standing.json", self.standing)
        route("GET", "/detectors/{name}.onnx", self.detector)
        for method, path, answer in self._api():
            route(method, f"/api/{path}", answer)
        app.on_shutdown.append(self._close)
        return app

    def _api(self) -> Iterable[tuple[str, str, Answering]]:
        return (
            ("GET", "microphones", self.microphones), ("GET", "microphone", self.microphone.serve),
            ("POST", "phrase", self.phrase), ("POST", "samples", self.say), ("GET", "samples/{id}.wav", self.sample),
            ("GET", "datasets", self.datasets), ("GET", "datasets/scenes", self.scenes),
            ("GET", "datasets/audio", self.scene_audio), *WordDoor(self.words, self.making).addresses(),
        )  # fmt: skip

    async def standing(self, _request: web.Request) -> web.Response:
        """What the page needs to know first."""
        return web.json_response(standing_of(self.detector_files(), server=True, has_runtime=is_there(self.runtime)))

    def detector_files(self) -> dict[str, Path]:
        """The detectors that are here, those made here before those shipped."""
        made = {name: self.words.detector(name) for name in self.words.names}
        shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.onnx"))}
        return {**shipped, **{name: path for name, path in made.items() if path.is_file()}}

    async def detector(self, request: web.Request) -> web.StreamResponse:
        """The file of one."""
        return sent(among(self.detector_files(), request.match_info["name"]))

    async def microphones(self, _request: web.Request) -> web.Response:
        """Those of this machine; none where there is no PortAudio."""
        try:
            found = input_devices()
        except NoMicrophone:
            found = []
        return web.json_response(
            [{"index": each.index, "name": each.name, "is_default": each.is_default} for each in found]
        )

    async def phrase(self, request: web.Request) -> web.Response:
        """What the phrase doctor says."""
        order = Order.from_json(await asked_json(request))
        async with self._speaking:
            return web.json_response(await asyncio.to_thread(self.speech.examined, order))

    async def say(self, request: web.Request) -> web.Response:
        """Speak samples, which take the place of those before."""
        order = Order.from_json(await asked_json(request))
        async with self._speaking:
            said = await asyncio.to_thread(lambda: list(self.speech.said(order)))
        self._samples = {str(number): encoded(samples, ".wav") for number, (_, _, samples) in enumerate(said)}
        self._times_spoken += 1
        return web.json_response(
            [
                {"engine": engine, "voice": voice, "url": f"api/samples/{number}.wav?{self._times_spoken}"}
                for number, (engine, voice, _) in enumerate(said)
            ]
        )

    async def sample(self, request: web.Request) -> web.Response:
        """The sound of one."""
        return web.Response(body=among(self._samples, request.match_info["id"]), content_type="audio/wav")

    async def datasets(self, _request: web.Request) -> web.Response:
        """The datasets in the folder."""
        return web.json_response(await asyncio.to_thread(Datasets(self.folder).told))

    async def scenes(self, request: web.Request) -> web.Response:
        """Some scenes of one."""
        name = request.query.get("name", "")
        page = await asyncio.to_thread(
            Datasets(self.folder).page, name, whole_number(request, "first", 0), whole_number(request, "count", 24)
        )
        for scene in page["scenes"]:
            scene["url"] = f"api/datasets/audio?name={quote(name)}&number={scene['number']}"
        return web.json_response(page)

    async def scene_audio(self, request: web.Request) -> web.StreamResponse:
        """The sound of a scene."""
        return sent(Datasets(self.folder).audio(request.query.get("name", ""), whole_number(request, "number", -1)))

    async def _close(self, _app: web.Application) -> None:
        if self.making.is_running:
            await self.making.stop()


def standing_of(files: dict[str, Path], *, server: bool, has_runtime: bool) -> dict[str, Any]:
    """`standing.json`: what there is to listen with. A file that is no detector is left out."""
    detectors = []
    for name, path in files.items():
        word = _word_of(path, path.stat().st_mtime_ns if path.is_file() else 0)
        if word is not None:
            told = {"name": name, "word": word, "file": f"detectors/{quote(name)}.onnx"}
            detectors.append({**told, "shipped": path.parent == SHIPPED})
    version = version_of(PACKAGE) or "unknown"
    return {
        "server": server, "version": version, "runtime": "runtime/" if has_runtime else None, "detectors": detectors,
    }  # fmt: skip


@lru_cache(maxsize=64)
def _word_of(path: Path, _changed: int) -> str | None:
    """The word of a detector file, which is opened once for it; None if it is no detector."""
    try:
        return Model(path).word
    except Failure:
        return None
