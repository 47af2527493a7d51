"""One run of `kws listen`: the loop, what shows it, and the signals that it obeys."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from kws.audio import RATE_HZ, Samples, read_audio
from kws.cli.shown import Drawing, Greeting, Screen, Told, logged, many, told, write
from kws.daemon.anew import left_behind
from kws.daemon.health import Health
from kws.daemon.loop import Loop
from kws.daemon.notify import Notifier
from kws.daemon.settings import Settings, host_and_port
from kws.daemon.source import Played, Source
from kws.daemon.steady import SteadyMicrophone
from kws.errors import Misuse
from kws.events import Event
from kws.runtime import PACKAGE, version_of
from kws.sources import NoMicrophone, in_chunks, read_pcm


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What was asked for, and where it is heard."""

    settings: Settings
    reread: Callable[[], Settings]
    """The settings as they are by now."""
    waits: bool
    """Whether it runs by a file of settings: it then waits for a microphone that is not there yet."""

    def of_microphone(self, *, else_demo: bool) -> None:
        """Listen until Ctrl-C or a signal ends it.

        Raises NoMicrophone if there is none at the start, it is not to be waited for, and not the demo instead.
        """
        left = left_behind()
        hearing = replace(self, settings=replace(self.settings, muted=left == "muted")) if left else self

        def source(device: str | None, loop: Loop) -> Source:
            return SteadyMicrophone(device, must_be_there=not (self.waits or left), hung=loop.begin_anew)

        try:
            hearing._hear_live(source, is_microphone=True)
        except NoMicrophone as missing:
            if not else_demo:
                raise
            click.echo(f"kws: {str(missing).rstrip('.')}; here is the bundled recording instead.", err=True)
            self.of_demo()

    def of_pipe(self) -> None:
        """Listen to standard input until it ends."""
        if sys.stdin.isatty():
            raise Misuse("standard input is a terminal: pipe raw PCM into it (s16le, 16 kHz, mono) or name a file.")
        with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
            self._hear_live(lambda *_: Played(name="standard input", chunks=read_pcm(stream)))

    def of_file(self, path: Path) -> None:
        """Listen to a recording, and draw it."""
        drawing = self._hear_whole(read_audio(path))
        if not self.settings.json:
            self._draw(drawing)

    def of_demo(self) -> None:
        """Listen to the bundled recording, and tell how much of what is said in it was heard."""
        from kws.demo import read_demo, tally

        demo = read_demo()
        drawing = self._hear_whole(read_audio(demo.audio))
        if not self.settings.json:
            self._draw(drawing, demo.events)
        track = drawing.track
        for word in sorted({event.word for event in demo.positives} & set(track.words)):
            said = [event for event in demo.positives if event.word == word]
            found = [detection for detection in track.detections if detection.word == word]
            click.echo(tally(said, found), err=self.settings.json)

    def _hear_live(self, source: Callable[[str | None, Loop], Source], *, is_microphone: bool = False) -> None:
        """Hear until the sound ends or a signal does; then sum up in one line."""
        screen = Screen(lambda: [detector.word for detector in loop.detectors], is_live=not self.settings.json)
        health = _health()
        with logged(screen):
            loop = self._loop(health, lambda device: source(device, loop))
            loop.witnesses += [screen, Told(as_json=self.settings.json)]
            if is_microphone:
                loop.witnesses.append(Greeting(health))
            with self._metrics(health), contextlib.suppress(KeyboardInterrupt), self._obeying(loop, is_microphone):
                try:
                    loop.run()
                finally:
                    screen.wipe()
        overruns = f", {many(health.overruns, 'overrun')}" if is_microphone else ""
        click.echo(f"kws: heard {screen.seconds:.1f} s, {many(screen.count, 'detection')}{overruns}.", err=True)

    def _hear_whole(self, samples: Samples) -> Drawing:
        """Hear all of the (S,) samples, as fast as it goes."""
        from tqdm import tqdm

        with logged():
            loop = self._loop(_health(), lambda _: Played(name="the recording", chunks=in_chunks(samples)))
            form = "{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s, {remaining} left"
            quiet = True if self.settings.json else None
            with tqdm(total=len(samples) / RATE_HZ, bar_format=form, disable=quiet, leave=False) as progress:
                drawing = Drawing(loop.detectors, lambda time_s: progress.update(time_s - progress.n))
                loop.witnesses.append(drawing)
                if self.settings.json:
                    loop.witnesses.append(Told(as_json=True))
                loop.run()
        return drawing

    def _draw(self, drawing: Drawing, known: Sequence[Event] = ()) -> None:
        from kws.timeline import draw

        write(draw(drawing.track, shutil.get_terminal_size().columns, known))
        for detection in drawing.track.detections:
            write(told(detection))
        if not drawing.track.detections:
            write("Nothing was heard.")

    @contextlib.contextmanager
    def _obeying(self, loop: Loop, is_patient: bool) -> Iterator[None]:
        """Have signals obeyed inside `with`: INT and TERM end it, USR1 mutes, USR2 unmutes, HUP reloads the settings.

        Without a file of settings HUP ends it too, since a terminal that is closed must not leave a microphone open.
        Where reading may wait for ever, and is not patient therefore, a signal to end interrupts it.
        """

        def end(*_: object) -> None:
            loop.end()
            if not is_patient:
                raise KeyboardInterrupt

        wanted = {
            "SIGINT": end,
            "SIGTERM": end,
            "SIGHUP": (lambda *_: loop.reload()) if self.waits else end,
            "SIGUSR1": lambda *_: loop.mute(True),
            "SIGUSR2": lambda *_: loop.mute(False),
        }
        before = {
            getattr(signal, name): signal.signal(getattr(signal, name), handler)
            for name, handler in wanted.items()
            if hasattr(signal, name)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _loop(self, health: Health, source: Callable[[str | None], Source]) -> Loop:
        return Loop(self.settings, health, reread=self.reread, source=source, notifier=Notifier())

    def _metrics(self, health: Health) -> contextlib.AbstractContextManager[object]:
        if not self.settings.metrics:
            return contextlib.nullcontext()
        from kws.daemon.metrics import MetricsServer

        return MetricsServer(health, *host_and_port("metrics", self.settings.metrics))


def _health() -> Health:
    return Health(version=version_of(PACKAGE) or "unknown", started=datetime.now(UTC))
