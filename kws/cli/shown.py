"""What `kws listen` shows: detections on standard output, a live line and the log on the error stream."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from kws.daemon.loop import Witness
from kws.timeline import Track, clock, encodable, live_line

if TYPE_CHECKING:
    from kws.daemon.health import Health
    from kws.daemon.wake import Wake
    from kws.decision import Detection
    from kws.detector import Detector
    from kws.listener import Heard


class Told(Witness):
    """Each detection on standard output as it comes, for people or as a line of JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def woke(self, wake: Wake) -> None:
        """Print it at once."""
        if self._as_json:
            fields = wake.fields()
            del fields["at"]
            click.echo(json.dumps(fields))
        else:
            write(told(wake.detection))


class Screen(Witness):
    """A line on the error stream that shows the moment, where that is a terminal; and how much was heard."""

    def __init__(self, words: Callable[[], Sequence[str]], is_live: bool) -> None:
        """`words` gives what is listened for at the moment."""
        self._words = words
        self._is_live = is_live and sys.stderr.isatty()
        self._width = 0
        self._last: Detection | None = None
        self.seconds = 0.0
        self.count = 0

    def heard(self, heard: Heard) -> None:
        """Draw the moment over the last one."""
        self.seconds = heard.time
        if self._is_live:
            self._width = shutil.get_terminal_size().columns - 1
            line = live_line(heard, self._words(), self._last, self._width)
            click.echo("\r" + encodable(line, sys.stderr.encoding), nl=False, err=True)

    def woke(self, wake: Wake) -> None:
        """Make room for what is printed of it."""
        self.count += 1
        self._last = wake.detection
        self.wipe()

    def wipe(self) -> None:
        """Take the line away."""
        if self._width:
            click.echo(f"\r{' ' * self._width}\r", nl=False, err=True)


class Greeting(Witness):
    """Says once, when there is sound, whose it is."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._was_said = False

    def heard(self, heard: Heard) -> None:
        """Say it the first time."""
        if not self._was_said:
            self._was_said = True
            click.echo(f"kws: listening to {self._health.device!r}, Ctrl-C ends it.", err=True)


class Drawing(Witness):
    """Keeps what a recording told, to be drawn as a whole."""

    def __init__(self, detectors: Sequence[Detector], progress: Callable[[float], object]) -> None:
        """`progress` is told the seconds heard so far."""
        self.track = Track(
            words=tuple(detector.word for detector in detectors),
            thresholds=tuple(detector.threshold for detector in detectors),
        )
        self._progress = progress

    def heard(self, heard: Heard) -> None:
        """Keep it."""
        self.track.add(heard)
        self._progress(heard.time)


class _Log(logging.Handler):
    """One line a message on the error stream: with its level for the journal, with `kws: ` for people."""

    _LEVELS = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))

    def __init__(self, screen: Screen | None = None) -> None:
        super().__init__(logging.INFO)
        self._screen = screen
        self._is_journal = "JOURNAL_STREAM" in os.environ

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, with the live line out of its way."""
        if self._screen is not None:
            self._screen.wipe()
        text = " ".join(record.getMessage().split())
        level = next((number for least, number in self._LEVELS if record.levelno >= least), 7)
        click.echo(f"<{level}>{text}" if self._is_journal else f"kws: {text}", err=True)


@contextlib.contextmanager
def logged(screen: Screen | None = None) -> Iterator[None]:
    """Have what goes on told in one line each on the error stream, inside `with`."""
    log, handler = logging.getLogger("kws"), _Log(screen)
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def write(text: str) -> None:
    """Print a text as far as standard output can show it."""
    click.echo(encodable(text, sys.stdout.encoding))


def told(detection: Detection) -> str:
    """A detection as a line for people."""
    return f"{clock(detection.time):>9}  {detection.word}  {detection.score:.2f}"


def many(count: int, thing: str) -> str:
    """So many things."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
