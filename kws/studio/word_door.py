"""A person's words, by address: recorded, made, and what they get wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import web

from kws.audio import RATE_HZ, encoded
from kws.errors import Misuse
from kws.recorder import TAKE_S
from kws.sources import from_pcm
from kws.studio.exchange import LARGEST, Answering, asked_json, body, kind_of, sent
from kws.studio.findings import Findings
from kws.studio.making import Making
from kws.studio.words import KINDS, Kind, Order, Sound, Words

REPORT_CONTENT = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; sandbox"
"""The Content-Security-Policy of a report, which holds all that it needs and runs nothing."""
_LONGEST_TALK_S = 70.0


@dataclass(frozen=True)
class WordDoor:
    """Answers for words."""

    words: Words
    making: Making

    def addresses(self) -> Iterable[tuple[str, str, Answering]]:
        """Method, path below api/, and what answers."""
        word = "words/{name}"
        return (
            ("GET", "words", self.all_words), ("POST", "words", self.make), ("POST", f"{word}/stop", self.stop),
            ("POST", f"{word}/go_on", self.go_on), ("GET", f"{word}/report.html", self.report),
            ("GET", f"{word}/recordings", self.recordings), ("POST", f"{word}/recordings", self.record),
            ("GET", f"{word}/recordings/{{kind}}/{{file:.+}}", self.recording),
            ("DELETE", f"{word}/recordings/{{kind}}/{{file:.+}}", self.remove),
            ("PUT", f"{word}/backgrounds/{{file}}", self.background), ("GET", f"{word}/excerpts", self.excerpts),
            ("GET", f"{word}/excerpts/{{id}}.flac", self.excerpt),
            ("POST", f"{word}/excerpts/{{id}}/negative", self.teach),
        )  # fmt: skip

    async def all_words(self, _request: web.Request) -> web.Response:
        """Every word and how far it is."""
        return web.json_response([self._word(name) for name in self.words.names])

    async def make(self, request: web.Request) -> web.Response:
        """Begin to make a word."""
        order = Order.from_json(await asked_json(request))
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
        path = self.words.report(request.match_info["name"], "html")
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
        name, kind = self._known(request), kind_of(request.query.get("kind", ""))
        content = await body(request, round(2 * RATE_HZ * _LONGEST_TALK_S))
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
        return sent(self._sound(request).path)

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a recording."""
        self._sound(request).path.unlink()
        return web.Response(status=204)

    async def background(self, request: web.Request) -> web.Response:
        """Take in a sound file."""
        name, file = self._known(request), request.match_info["file"]
        sound = await asyncio.to_thread(self.words.keep_background, name, file, await body(request, LARGEST))
        return web.json_response({"kept": _told(name, "backgrounds", sound)})

    async def excerpts(self, request: web.Request) -> web.Response:
        """What the detector got wrong in its report."""
        name = request.match_info["name"]
        found = await asyncio.to_thread(Findings(self.words, name).all_told)
        return web.json_response({kind: [_with_url(name, told) for told in some] for kind, some in found.items()})

    async def excerpt(self, request: web.Request) -> web.Response:
        """The sound of one."""
        findings = Findings(self.words, request.match_info["name"])
        samples = await asyncio.to_thread(findings.one(request.match_info["id"]).read)
        return web.Response(body=encoded(samples, ".flac"), content_type="audio/flac")

    async def teach(self, request: web.Request) -> web.Response:
        """Lay a false accept with the negatives."""
        name = request.match_info["name"]
        findings = Findings(self.words, name)
        finding = findings.one(request.match_info["id"])
        if finding not in findings.accepts:
            raise Misuse("only a false accept can be taught as not the word.")
        await asyncio.to_thread(findings.teach, finding)
        return web.json_response({"is_negative": True})

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
        return self.words.sound(told["name"], kind_of(told["kind"]), told["file"])

    def _word(self, name: str) -> dict[str, Any]:
        standing = self.words.standing(name)
        is_made = self.making.is_running and self.making.name == name
        is_there = self.words.detector(name).is_file()
        return {
            "name": name, "word": standing.order.word, "language": standing.order.language,
            "say": list(standing.order.say), "minutes": standing.order.minutes, "state": standing.state,
            "error": standing.error or None, "progress": self.making.progress if is_made else None,
            "log": list(self.making.log) if self.making.name == name else [],
            "detector": f"detectors/{quote(name)}.onnx" if is_there else None, "verdict": self.words.verdict(name),
            "report": f"api/words/{quote(name)}/report.html" if self.words.report(name, "html").is_file() else None,
            "recordings": {kind: len(self.words.sounds(name, kind)) for kind in KINDS},
        }  # fmt: skip


def _told(name: str, kind: Kind, sound: Sound) -> dict[str, Any]:
    url = f"api/words/{quote(name)}/recordings/{kind}/{quote(sound.file)}"
    return {"file": sound.file, "seconds": round(sound.seconds, 2), "url": url}


def _with_url(name: str, told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "url": f"api/words/{quote(name)}/excerpts/{told['id']}.flac"}
