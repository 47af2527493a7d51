"""`kws listen`: hear a word in a microphone, a file, a pipe or the bundled recording."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kws.errors import Misuse

if TYPE_CHECKING:
    from kws.audio import Samples
    from kws.decision import Detection
    from kws.detector import Detector
    from kws.events import Event
    from kws.listener import Heard

DEFAULT = "activate"


@click.command("listen")
@click.argument("names", metavar="[DETECTOR]...", nargs=-1)
@click.option(
    "--input", "source", metavar="microphone|FILE|-|demo",
    help="A microphone, a sound file, raw PCM on standard input (s16le, 16 kHz, mono) or the bundled recording. "
    "Without it: the microphone if there is one, otherwise the bundled recording.",
)  # fmt: skip
@click.option("--device", metavar="NAME", help="The microphone: a name, a part of one, or a number.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each detection, and nothing else.")
@click.option("--threshold", type=float, metavar="X", help="The score that counts, instead of the calibrated one.")
@click.option(
    "--target-fa",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Another threshold: that of X false accepts per hour of speech, by the curve in the detector file.",
)
@click.option("--list-devices", is_flag=True, help="List the microphones and stop.")
def command(  # noqa: PLR0913, PLR0917 - click passes every option as an argument
    names: tuple[str, ...], source: str | None, device: str | None, as_json: bool, threshold: float | None,
    target_fa: float | None, list_devices: bool,
) -> None:  # fmt: skip
    """Listen for the words of DETECTORs: shipped names or .onnx files, "activate" if none is given."""
    if list_devices:
        _list_devices()
        return
    if device is not None and source not in (None, "microphone"):
        raise Misuse(f"--device names a microphone, but the input is {source}: leave one of the two out.")
    detectors = _load(names or (DEFAULT,), threshold, target_fa)
    if source in (None, "microphone"):
        _hear_microphone(detectors, device, as_json, else_demo=source is None and device is None)
    elif source == "-":
        _hear_pipe(detectors, as_json)
    elif source == "demo":
        _hear_demo(detectors, as_json)
    else:
        from kws.audio import read_audio

        _hear_recording(detectors, read_audio(Path(str(source))), as_json)


def _load(names: Sequence[str], threshold: float | None, target_fa: float | None) -> list[Detector]:
    """The detectors; what their loading warns of goes to the error stream."""
    from kws.detector import Caution, load

    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always", Caution)
        detectors = [load(name, threshold=threshold, target_fa=target_fa) for name in names]
    for warning in met:
        if issubclass(warning.category, Caution):
            click.echo(f"kws: caution: {warning.message}", err=True)
    return detectors


def _list_devices() -> None:
    from kws.sources import NoMicrophone, input_devices

    devices = input_devices()
    if not devices:
        raise NoMicrophone("there is no microphone: plug one in or start the sound server.")
    for device in devices:
        mark = "*" if device.is_default else " "
        click.echo(f"{mark} {device.index:3d}  {device.name}  ({device.channels} in, {device.rate_hz:.0f} Hz)")


def _hear_microphone(detectors: Sequence[Detector], device: str | None, as_json: bool, else_demo: bool) -> None:
    from kws.sources import Microphone, NoMicrophone

    with contextlib.ExitStack() as stack:
        try:
            microphone = stack.enter_context(Microphone(device))
        except NoMicrophone as missing:
            if not else_demo:
                raise
            click.echo(f"kws: {str(missing).rstrip('.')}; here is the bundled recording instead.", err=True)
            _hear_demo(detectors, as_json)
            return
        greeting = f"kws: listening to {microphone.name!r}, Ctrl-C ends it."
        screen = _Screen([detector.word for detector in detectors], as_json, greeting)
        _hear_live(detectors, microphone, screen, lambda: f", {_many(microphone.overruns, 'overrun')}")


def _hear_pipe(detectors: Sequence[Detector], as_json: bool) -> None:
    from kws.sources import read_pcm

    if sys.stdin.isatty():
        raise Misuse("standard input is a terminal: pipe raw PCM into it (s16le, 16 kHz, mono) or name a file.")
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        screen = _Screen([detector.word for detector in detectors], as_json)
        _hear_live(detectors, read_pcm(stream), screen, str)


def _hear_demo(detectors: Sequence[Detector], as_json: bool) -> None:
    from kws.audio import read_audio
    from kws.demo import read_demo, tally

    demo = read_demo()
    detections = _hear_recording(detectors, read_audio(demo.audio), as_json, demo.events)
    for word in sorted({event.word for event in demo.positives} & {detector.word for detector in detectors}):
        found = [detection for detection in detections if detection.word == word]
        click.echo(tally([event for event in demo.positives if event.word == word], found), err=as_json)


def _hear_recording(
    detectors: Sequence[Detector], samples: Samples, as_json: bool, known: Sequence[Event] = ()
) -> list[Detection]:
    from tqdm import tqdm

    from kws.audio import RATE_HZ
    from kws.listener import listen
    from kws.sources import in_chunks
    from kws.timeline import Track, draw

    track = Track(
        words=tuple(detector.word for detector in detectors),
        thresholds=tuple(detector.threshold for detector in detectors),
    )
    form = "{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s, {remaining} left"
    quiet = True if as_json else None
    with tqdm(total=len(samples) / RATE_HZ, bar_format=form, disable=quiet, leave=False) as progress:
        for heard in listen(detectors, in_chunks(samples)):
            track.add(heard)
            progress.update(heard.time - progress.n)
            if as_json:
                _print_json(heard.detections)
    if not as_json:
        _print(draw(track, shutil.get_terminal_size().columns, known))
        for detection in track.detections:
            _print(_told(detection))
        if not track.detections:
            _print("Nothing was heard.")
    return track.detections


def _hear_live(
    detectors: Sequence[Detector], chunks: Iterable[Samples], screen: _Screen, more: Callable[[], str]
) -> None:
    """Hear until the sound ends or Ctrl-C; then sum up in one line, to which `more` may add."""
    from kws.listener import listen

    try:
        screen.open()
        for heard in listen(detectors, chunks):
            screen.show(heard)
    except KeyboardInterrupt:
        pass
    finally:
        screen.wipe()
    click.echo(f"kws: heard {screen.seconds:.1f} s, {_many(screen.count, 'detection')}{more()}.", err=True)


class _Screen:
    """Detections on standard output, and, if the error stream is a terminal, a live line there."""

    def __init__(self, words: Sequence[str], as_json: bool, greeting: str = "") -> None:
        self._words = words
        self._greeting = greeting
        self._as_json = as_json
        self._is_live = not as_json and sys.stderr.isatty()
        self._width = 0
        self._last: Detection | None = None
        self.seconds = 0.0
        self.count = 0

    def open(self) -> None:
        """Say that it begins."""
        if self._greeting:
            click.echo(self._greeting, err=True)

    def show(self, heard: Heard) -> None:
        """Print what was detected, and draw the moment over the last one."""
        self.seconds = heard.time
        self.count += len(heard.detections)
        if heard.detections:
            self._last = heard.detections[-1]
            self.wipe()
            if self._as_json:
                _print_json(heard.detections)
            else:
                for detection in heard.detections:
                    _print(_told(detection))
        if self._is_live:
            self._draw(heard)

    def wipe(self) -> None:
        """Take the live line away."""
        if self._width:
            click.echo(f"\r{' ' * self._width}\r", nl=False, err=True)

    def _draw(self, heard: Heard) -> None:
        from kws.timeline import encodable, live_line

        self._width = shutil.get_terminal_size().columns - 1
        line = live_line(heard, self._words, self._last, self._width)
        click.echo("\r" + encodable(line, sys.stderr.encoding), nl=False, err=True)


def _print(text: str) -> None:
    from kws.timeline import encodable

    click.echo(encodable(text, sys.stdout.encoding))


def _print_json(detections: Iterable[Detection]) -> None:
    for detection in detections:
        fields = {
            "word": detection.word,
            "time": round(detection.time, 3),
            "end": round(detection.end, 3),
            "score": round(detection.score, 4),
        }
        click.echo(json.dumps(fields))


def _told(detection: Detection) -> str:
    from kws.timeline import clock

    return f"{clock(detection.time):>9}  {detection.word}  {detection.score:.2f}"


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
