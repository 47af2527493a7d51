"""Clips of what fired, kept to be listened to: `TIME_WORD.wav` and, beside each, the wake as `TIME_WORD.json`.

S samples. A file of JSON for each clip rather than one list of all, so that removing a clip rewrites nothing.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from kws.audio import Samples, write_audio
from kws.daemon.handover import Handover
from kws.daemon.ring import Ring
from kws.daemon.settings import Keep
from kws.daemon.tally import Tally, Trouble
from kws.daemon.wake import Outlet, Wake, plain
from kws.errors import Failure
from kws.files import make_folder, write_whole

MOST = 4
"""Clips that are being heard, and as many that wait to be written; a wake beyond that is not kept."""
SWEEP_S = 3600.0
"""How often old clips are looked for while none are added."""
CLOSE_S = 3.0
"""What is left for clips that are not written yet when the daemon ends."""

_FOREVER_DAYS = 36500.0
_TIME = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(r"\.?(\d{8}T\d{6}\.\d{6}Z_[a-z0-9_-]+)\.(?:wav|json)(?:\.part)?")

_log = logging.getLogger(__name__)


class Clips(Outlet):
    """Keeps a clip of each wake in a folder, and removes those that are too old or too many.

    Only files that bear such a name are ever removed.
    """

    kind = "keep"

    def __init__(self, keep: Keep) -> None:
        """Make the folder and remove what has grown old meanwhile. Raises Failure if there can be no such folder."""
        self._keep = keep
        self._shelf = _Shelf(keep)
        self._tally = self._shelf.tally
        self._begun: list[tuple[Wake, Handover, list[Samples]]] = []
        self._shelf.start()

    def hear(self, sound: Samples) -> None:
        """Add it to the clips that are not whole yet."""
        if self._begun:
            for _, span, pieces in self._begun:
                pieces.append(span.take(sound).copy())
            self._put_whole()

    def wake(self, wake: Wake, ring: Ring) -> None:
        """Begin a clip with what the ring holds."""
        if len(self._begun) == MOST:
            self._tally.add("dropped")
            return
        span = Handover(ring, wake.detection.end, before_s=self._keep.before_s, after_s=self._keep.after_s)
        self._begun.append((wake, span, [span.first]))
        self._put_whole()

    def gap(self) -> None:
        """Keep the clips as far as they go."""
        for _, span, _ in self._begun:
            span.end()
        self._put_whole()

    def counts(self) -> dict[str, int]:
        """Clips kept, not written because that failed, dropped because too many came at once, and removed."""
        return self._tally.read()

    def close(self) -> None:
        """Write what there is, and end."""
        self.gap()
        self._shelf.end()

    def _put_whole(self) -> None:
        for wake, span, pieces in self._begun:
            if span.is_over:
                self._shelf.put(wake, np.concatenate(pieces))
        self._begun = [each for each in self._begun if not each[1].is_over]


class _Shelf(threading.Thread):
    """The folder, written to and cleared on this thread."""

    def __init__(self, keep: Keep) -> None:
        super().__init__(name="keep", daemon=True)
        self.tally = Tally("kept", "failed", "dropped", "removed")
        self._folder = Path(keep.folder).expanduser()
        make_folder(self._folder)
        self._age, self._bytes = timedelta(days=min(keep.days, _FOREVER_DAYS)), keep.megabytes * 1e6
        self._trouble = Trouble(_log, f"keeping clips in {self._folder}")
        self._clearing = Trouble(_log, f"removing old clips in {self._folder}")
        self._queue: queue.Queue[tuple[Wake, Samples] | None] = queue.Queue()

    def put(self, wake: Wake, samples: Samples) -> None:
        """Queue a clip, or drop it if too many wait."""
        if self._queue.qsize() < MOST:
            self._queue.put((wake, samples))
        else:
            self.tally.add("dropped")

    def end(self) -> None:
        """Write what is queued, then stop."""
        self._queue.put(None)
        self.join(CLOSE_S)

    def run(self) -> None:
        """Write clips as they come, and clear after each and once in a while."""
        while True:
            self._clear()
            try:
                queued = self._queue.get(timeout=SWEEP_S)
            except queue.Empty:
                continue
            if queued is None:
                return
            self._write(*queued)

    def _write(self, wake: Wake, samples: Samples) -> None:
        stem = f"{wake.at.astimezone(UTC).strftime(_TIME)}_{plain(wake.detection.word)}"
        sound = self._folder / f"{stem}.wav"
        try:
            write_audio(sound, samples)
            try:
                write_whole(sound.with_suffix(".json"), (json.dumps(wake.fields()) + "\n").encode())
            except Failure:
                sound.unlink(missing_ok=True)
                raise
        except (Failure, OSError) as error:
            self.tally.add("failed")
            self._trouble.begin(error)
        else:
            self.tally.add("kept")
            self._trouble.end()

    def _clear(self) -> None:
        """Remove the clips that are too old, and the oldest beyond the size that is allowed."""
        first = (datetime.now(UTC) - self._age).strftime(_TIME)
        room = self._bytes
        try:
            for stem, files in sorted(self._clips().items(), reverse=True):
                room -= sum(file.stat().st_size for file in files)
                if stem < first or room < 0:
                    for file in files:
                        file.unlink()
                    self.tally.add("removed")
        except OSError as error:
            self._clearing.begin(error)
        else:
            self._clearing.end()

    def _clips(self) -> dict[str, list[Path]]:
        """The files of each clip, those of one whose writing was cut off among them; by names that sort by time."""
        clips: dict[str, list[Path]] = {}
        for file in self._folder.iterdir():
            if found := _NAME.fullmatch(file.name):
                clips.setdefault(found[1], []).append(file)
        return clips
