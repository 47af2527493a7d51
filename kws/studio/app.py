"""The studio's server: which address does what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from aiohttp import web

from kws.audio import RATE_HZ, Samples
from kws.detector import SHIPPED, Model
from kws.errors import Failure, Misuse
from kws.recorder import TAKE_S
from kws.runtime import PACKAGE, version_of
from kws.sources import NoMicrophone, from_pcm, input_devices
from kws.studio.browser_runtime import FILES, is_there
from kws.studio.findings import Findings
from kws.studio.guard import Guard
from kws.studio.making import Making, verdict_of
from kws.studio.microphone import MicrophoneDoor
from kws.studio.scenes import Datasets
from kws.studio.words import KINDS, Kind, Order, Sound, Words

Value = TypeVar("Value")

WEB = Path(__file__).parent / "web"
REPORT_CONTENT = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; sandbox"
"""The Content-Security-Policy of a report, which holds all that it needs and runs nothing."""
LARGEST = 64 * 2**20
"""Bytes of an upload."""
_LONGEST_TALK_S = 70.0
_TYPES = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript",
    ".wasm": "application/wasm", ".onnx": "application/octet-stream", ".flac": "audio/flac", ".svg": "image/svg+xml",
}  # fmt: skip


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
            route("GET", "/" if asset.name == "index.html" else f"/{asset.name}", _file(asset))
        for name in FILES:
            route("GET", f"/runtime/{name}", _file(self.runtime / name))
        route("GET", "/standing.json", self.standing)
        route("GET", "/detectors/{name}.onnx", self.detector)
        for method, path, answer in self._api():
            route(method, f"/api/{path}", answer)
        app.on_shutdown.append(self._close)
        return app

    def _api(self) -> Iterable[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]]:
        word = "words/{name}"
        return (
            ("GET", "microphones", self.microphones), ("GET", "microphone", self.microphone),
            ("POST", "phrase", self.phrase), ("POST", "samples", self.say), ("GET", "samples/{id}.wav", self.sample),
            ("GET", "words", self.all_words), ("POST", "words", self.make), ("POST", f"{word}/stop", self.stop),
            ("POST", f"{word}/go_on", self.go_on), ("GET", f"{word}/report.html", self.report),
            ("GET", f"{word}/recordings", self.recordings), ("POST", f"{word}/recordings", self.record),
            ("GET", f"{word}/recordings/{{kind}}/{{file:.+}}", self.recording),
            ("DELETE", f"{word}/recordings/{{kind}}/{{file:.+}}", self.remove),
            ("PUT", f"{word}/backgrounds/{{file}}", self.background), ("GET", f"{word}/excerpts", self.excerpts),
            ("GET", f"{word}/excerpts/{{id}}.flac", self.excerpt),
            ("POST", f"{word}/excerpts/{{id}}/negative", self.teach), ("GET", "datasets", self.datasets),
            ("GET", "datasets/scenes", self.scenes), ("GET", "datasets/audio", self.scene_audio),
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
        return _sent(_in(self.detector_files(), request.match_info["name"]))

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
        order = Order.from_json(await _json(request))
        async with self._speaking:
            return web.json_response(await asyncio.to_thread(self.speech.examined, order))

    async def say(self, request: web.Request) -> web.Response:
        """Speak samples, which take the place of those before."""
        order = Order.from_json(await _json(request))
        async with self._speaking:
            said = await asyncio.to_thread(lambda: list(self.speech.said(order)))
        self._samples = {str(number): _wav(samples) for number, (_, _, samples) in enumerate(said)}
        self._times_spoken += 1
        return web.json_response(
            [
                {"engine": engine, "voice": voice, "url": f"api/samples/{number}.wav?{self._times_spoken}"}
                for number, (engine, voice, _) in enumerate(said)
            ]
        )

    async def sample(self, request: web.Request) -> web.Response:
        """The sound of one."""
        return web.Response(body=_in(self._samples, request.match_info["id"]), content_type="audio/wav")

    async def all_words(self, _request: web.Request) -> web.Response:
        """Every word and how far it is."""
        return web.json_response([self._word(name) for name in self.words.names])

    async def make(self, request: web.Request) -> web.Response:
        """Begin to make a word."""
        order = Order.from_json(await _json(request))
        await self.making.start(order)
        return web.json_response(self._word(order.name), status=202)

    async def stop(self, request: web.Request) -> web.Response:
        """Stop making it."""
        name = request.match_info["name"]
        if name == self.making.name:
            await self.making.stop()
        return web.json_response(self._word(name))

    async def go_on(self, request: web.Request) -> web.Response:
        """Go on where it was stopped."""
        name = request.match_info["name"]
        await self.making.start(self.words.standing(name).order)
        return web.json_response(self._word(name), status=202)

    async def report(self, request: web.Request) -> web.StreamResponse:
        """Its report."""
        path = self.words.out(request.match_info["name"]) / "report" / "report.html"
        if not path.is_file():
            raise FileNotFoundError("there is no report yet: make the word.")
        return web.FileResponse(path, headers={"Content-Type": "text/html", "Content-Security-Policy": REPORT_CONTENT})

    async def recordings(self, request: web.Request) -> web.Response:
        """All recordings of a word."""
        name = request.match_info["name"]
        return web.json_response(
            {kind: [_told(name, kind, sound) for sound in self.words.sounds(name, kind)] for kind in KINDS}
        )

    async def record(self, request: web.Request) -> web.Response:
        """Take in PCM, said into a microphone just now."""
        name, kind = self._known(request), _kind(request.query.get("kind", ""))
        content = await _body(request, round(2 * RATE_HZ * _LONGEST_TALK_S))
        samples = from_pcm(content[: len(content) // 2 * 2])
        if kind == "negatives":
            sound = self.words.keep_talk(name, samples)
            return web.json_response({"kept": _told(name, kind, sound), "fault": "", "told": "", "heard": True})
        anyway = request.query.get("keep") == "anyway"
        if len(samples) > 4 * TAKE_S * RATE_HZ:
            raise Misuse(f"a take of the word is {TAKE_S:g} s long, at most four times as long.")
        take, kept = await asyncio.to_thread(self.words.keep_take, name, samples, anyway=anyway)
        return web.json_response({
            "kept": _told(name, kind, kept) if kept else None, "fault": take.fault, "told": take.told,
            "heard": take.heard,
        })  # fmt: skip

    async def recording(self, request: web.Request) -> web.StreamResponse:
        """The sound of a recording."""
        return _sent(self._sound(request).path)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a recording."""
        self._sound(request).path.unlink()
        return web.Response(status=204)

    async def background(self, request: web.Request) -> web.Response:
        """Take in a sound file."""
        name, file = self._known(request), request.match_info["file"]
        sound = await asyncio.to_thread(self.words.keep_background, name, file, await _body(request, LARGEST))
        return web.json_response({"kept": _told(name, "backgrounds", sound)})

    async def excerpts(self, request: web.Request) -> web.Response:
        """What the detector got wrong in its report."""
        name = request.match_info["name"]
        found = await asyncio.to_thread(Findings(self.words, name).all_told)
        return web.json_response({kind: [_with_url(name, told) for told in some] for kind, some in found.items()})

    async def excerpt(self, request: web.Request) -> web.Response:
        """The sound of one."""
        findings = Findings(self.words, request.match_info["name"])
        samples = await asyncio.to_thread(findings.sound, findings.one(request.match_info["id"]))
        return web.Response(body=_wav(samples), content_type="audio/wav")

    async def teach(self, request: web.Request) -> web.Response:
        """Lay a false accept with the negatives."""
        name = request.match_info["name"]
        findings = Findings(self.words, name)
        finding = findings.one(request.match_info["id"])
        if finding not in findings.accepts:
            raise Misuse("only a false accept can be taught as not the word.")
        await asyncio.to_thread(findings.teach, finding)
        return web.json_response({"is_negative": True})

    async def datasets(self, _request: web.Request) -> web.Response:
        """The datasets in the folder."""
        return web.json_response(await asyncio.to_thread(Datasets(self.folder).told))

    async def scenes(self, request: web.Request) -> web.Response:
        """Some scenes of one."""
        name = request.query.get("name", "")
        page = await asyncio.to_thread(
            Datasets(self.folder).page, name, _number(request, "first", 0), _number(request, "count", 24)
        )
        for scene in page["scenes"]:
            scene["url"] = f"api/datasets/audio?name={quote(name)}&number={scene['number']}"
        return web.json_response(page)

    async def scene_audio(self, request: web.Request) -> web.StreamResponse:
        """The sound of a scene."""
        return _sent(Datasets(self.folder).audio(request.query.get("name", ""), _number(request, "number", -1)))

    def _known(self, request: web.Request) -> str:
        """The word of an address, taken up if it is new and its text is told. Raises Misuse if the two differ."""
        name = request.match_info["name"]
        if name not in self.words.names:
            order = Order.from_json({"word": request.query.get("word", "")})
            if order.name != name:
                raise Misuse(f"{order.word!r} is called {order.name} here, not {name}.")
            self.words.know(order)
        return name

    def _sound(self, request: web.Request) -> Sound:
        told = request.match_info
        return self.words.sound(told["name"], _kind(told["kind"]), told["file"])

    def _word(self, name: str) -> dict[str, Any]:
        standing, out = self.words.standing(name), self.words.out(name)
        is_made = self.making.is_running and self.making.name == name
        is_there = self.words.detector(name).is_file()
        return {
            "name": name, "word": standing.order.word, "language": standing.order.language,
            "say": list(standing.order.say), "minutes": standing.order.minutes, "state": standing.state,
            "error": standing.error or None, "progress": self.making.progress if is_made else None,
            "log": list(self.making.log) if self.making.name == name else [],
            "detector": f"detectors/{quote(name)}.onnx" if is_there else None, "verdict": verdict_of(out),
            "report": f"api/words/{quote(name)}/report.html" if (out / "report" / "report.html").is_file() else None,
            "recordings": {kind: len(self.words.sounds(name, kind)) for kind in KINDS},
        }  # fmt: skip

    async def _close(self, _app: web.Application) -> None:
        if self.making.is_running:
            await self.making.stop()


def standing_of(files: dict[str, Path], *, server: bool, has_runtime: bool) -> dict[str, Any]:
    """`standing.json`: what there is to listen with. A file that is no detector is left out."""
    detectors = []
    for name, path in files.items():
        try:
            word = Model(path).metadata["word"]
        except Failure:
            continue
        told = {"name": name, "word": word, "file": f"detectors/{quote(name)}.onnx"}
        detectors.append({**told, "shipped": path.parent == SHIPPED})
    version = version_of(PACKAGE) or "unknown"
    return {
        "server": server, "version": version, "runtime": "runtime/" if has_runtime else None, "detectors": detectors,
    }  # fmt: skip


def _told(name: str, kind: Kind, sound: Sound) -> dict[str, Any]:
    url = f"api/words/{quote(name)}/recordings/{kind}/{quote(sound.file)}"
    return {"file": sound.file, "seconds": round(sound.seconds, 2), "url": url}


def _with_url(name: str, told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "url": f"api/words/{quote(name)}/excerpts/{told['id']}.flac"}


def _file(path: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return _sent(path)

    return answer


def _sent(path: Path) -> web.StreamResponse:
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not there.")
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    return web.FileResponse(path, headers={"Content-Type": kind})


def _wav(samples: Samples) -> bytes:
    """16-bit WAV of (S,) samples."""
    import io

    import soundfile

    encoded = io.BytesIO()
    soundfile.write(encoded, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return encoded.getvalue()


def _in(known: dict[str, Value], name: str) -> Value:
    if name not in known:
        raise FileNotFoundError(f"there is no {name!r} here.")
    return known[name]


def _kind(asked: str) -> Kind:
    for kind in KINDS:
        if kind == asked:
            return kind
    raise Misuse(f"{asked!r} is no kind of recording: {', '.join(KINDS)}.")


def _number(request: web.Request, name: str, usual: int) -> int:
    asked = request.query.get(name, str(usual))
    if not asked.lstrip("-").isdecimal():
        raise Misuse(f"{name} is a whole number, not {asked!r}.")
    return int(asked)


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        asked = await request.json()
    except ValueError as error:
        raise Misuse("the request is not JSON.") from error
    if not isinstance(asked, dict):
        raise Misuse("the request is not a JSON object.")
    return asked


async def _body(request: web.Request, most: int) -> bytes:
    content = await request.read()
    if not content:
        raise Misuse("the request holds no sound.")
    if len(content) > most:
        raise Misuse(f"that is {len(content) / 1e6:.1f} MB: at most {most / 1e6:.1f} are taken.")
    return content
