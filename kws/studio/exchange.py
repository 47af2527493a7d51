"""What requests hold, read with a sentence for what makes no sense, and files as answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from kws.errors import Misuse
from kws.studio.words import KINDS, Kind

Value = TypeVar("Value")
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST = 64 * 2**20
"""Bytes of a request."""
_TYPES = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript",
    ".wasm": "application/wasm", ".onnx": "application/octet-stream", ".flac": "audio/flac", ".svg": "image/svg+xml",
}  # fmt: skip


def serving(path: Path) -> Answering:
    """What answers with a file."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return sent(path)

    return answer


def sent(path: Path) -> web.StreamResponse:
    """A file, or FileNotFoundError if it is not there."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not there.")
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    return web.FileResponse(path, headers={"Content-Type": kind})


def among(known: dict[str, Value], name: str) -> Value:
    """What is known by a name. Raises FileNotFoundError if nothing is."""
    if name not in known:
        raise FileNotFoundError(f"there is no {name!r} here.")
    return known[name]


def kind_of(asked: str) -> Kind:
    """The kind of recording that is asked for. Raises Misuse if it is none."""
    for kind in KINDS:
        if kind == asked:
            return kind
    raise Misuse(f"{asked!r} is no kind of recording: {', '.join(KINDS)}.")


def whole_number(request: web.Request, name: str, usual: int) -> int:
    """A number in the address. Raises Misuse if it is none."""
    asked = request.query.get(name, str(usual))
    if not asked.lstrip("-").isdecimal():
        raise Misuse(f"{name} is a whole number, not {asked!r}.")
    return int(asked)


async def asked_json(request: web.Request) -> dict[str, Any]:
    """The object that a request holds. Raises Misuse if it holds none."""
    try:
        asked = await request.json()
    except ValueError as error:
        raise Misuse("the request is not JSON.") from error
    if not isinstance(asked, dict):
        raise Misuse("the request is not a JSON object.")
    return asked


async def body(request: web.Request, most: int) -> bytes:
    """The bytes that a request holds. Raises Misuse if it holds none, or more than so many."""
    content = await request.read()
    if not content:
        raise Misuse("the request holds no sound.")
    if len(content) > most:
        raise Misuse(f"that is {len(content) / 1e6:.1f} MB: at most {most / 1e6:.1f} are taken.")
    return content
