"""`kws studio`: one page on this machine that shows what a detector hears, and makes words."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kws.errors import Failure, Misuse

if TYPE_CHECKING:
    from kws.audio import Samples
    from kws.studio.words import Order

PORT = 10402
_HOST = "127.0.0.1"
_SAMPLES = 4
"""Spoken of each pronunciation."""


@click.command("studio")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any that is free.")
@click.option("--no-open", is_flag=True, help="Print the address, and open no browser.")
@click.option("--get", is_flag=True, help="Fetch onnxruntime-web by npm, with which the page listens, and stop.")
@click.option(
    "--export", "out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write the page as a site that needs no server, and stop.",
)  # fmt: skip
@click.option("--detector", "names", metavar="DETECTOR", multiple=True, help="For --export; otherwise all shipped.")
def command(folder: Path, port: int, no_open: bool, get: bool, out: Path | None, names: tuple[str, ...]) -> None:
    """Look at what detectors hear, and make words, in a browser on this machine; words and recordings lie in FOLDER.

    Nobody but this user of this machine gets in, and nothing leaves it.
    """
    import aiohttp  # noqa: F401 - so that whoever lacks it is told the extra that brings all of this

    from kws.studio.browser_runtime import fetch, is_there, runtime_folder

    if names and not out:
        raise Misuse("--detector says what --export writes: add --export DIR, or leave --detector out.")
    runtime = runtime_folder()
    if get:
        fetch(runtime)
        click.echo(f"{runtime} holds onnxruntime-web.", err=True)
        return
    if out:
        _export(out, runtime, names)
        return
    if not is_there(runtime):
        click.echo("kws: the page cannot listen yet: get onnxruntime-web with kws studio --get.", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(folder.resolve(), runtime, port, opens=not no_open))


def _export(out: Path, runtime: Path, names: tuple[str, ...]) -> None:
    from kws.detector import SHIPPED, detector_path
    from kws.studio.site import export

    paths = [detector_path(name) for name in names] or sorted(SHIPPED.glob("*.onnx"))
    export(out, runtime, {path.stem: path for path in paths})
    click.echo(f"{out} holds the page: give it out by any web server, as in python -m http.server -d {out}", err=True)


async def _serve(folder: Path, runtime: Path, port: int, *, opens: bool) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises Failure if the port is taken or the folder cannot be written."""
    from aiohttp import web

    from kws.files import make_folder
    from kws.studio.app import Studio
    from kws.studio.making import Making
    from kws.studio.words import Words

    make_folder(folder)
    words = Words(folder=folder)
    studio = Studio(folder=folder, runtime=runtime, speech=OwnSpeech(), making=Making(words), words=words)
    runner = web.AppRunner(studio.app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, _HOST, port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise Failure(f"port {port} is taken ({error.strerror}): name another with --port, or --port 0.") from error
    address = f"http://{_HOST}:{runner.addresses[0][1]}/?key={studio.guard.key}"
    click.echo(f"kws: the studio of {folder} is at {address}\nkws: Ctrl-C ends it.", err=True)
    if opens and sys.stdin.isatty():
        await asyncio.to_thread(webbrowser.open, address)
    ends = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers: Ctrl-C ends it there too
            asyncio.get_running_loop().add_signal_handler(number, ends.set)
    try:
        await ends.wait()
    finally:
        await runner.cleanup()


class OwnSpeech:
    """The half of the house that knows how words sound."""

    def examined(self, order: Order) -> dict[str, Any]:
        """What the phrase doctor says, and the neighbours. Raises Failure if it cannot say anything."""
        from kws.cli.phrase import MEANS, examined
        from kws.cli.scenes import neighbours_of

        wanted = _wanted(order)
        found = examined(wanted)
        diagnosis, sound, expected = found.diagnosis, found.diagnosis.sound, found.expected_frr
        return {
            "grade": diagnosis.grade, "means": MEANS[diagnosis.grade], "reasons": diagnosis.reasons,
            "phones": [phone.replace("^", "") for phone in sound.phones], "syllables": sound.syllables,
            "seconds": round(sound.seconds, 2),
            "expected": expected and dict(zip(("low", "middle", "high"), expected, strict=True)),
            "better": [{"phrase": other.phrase, "grade": other.grade} for other in found.others],
            "neighbours": [{"text": near.saying.text, "kind": near.kind} for near in neighbours_of(wanted)],
        }  # fmt: skip

    def said(self, order: Order) -> Iterator[tuple[str, str, Samples]]:
        """Samples: engine, voice, sound. Raises Failure if there is no engine."""
        from kws.cli.samples import samples_of

        for sample in samples_of(_wanted(order), _SAMPLES):
            yield sample.engine, sample.voice, sample.samples


def _wanted(order: Order) -> Any:
    from kws.cli.scenes import Wanted

    return Wanted(word=order.word, says=order.say, language=order.language)
