"""The daemon's loop: from the microphone to the words, and from there to what is done when one is heard.

S samples. One thread does all of it, and sleeps while there is nothing to do; what may wait has threads of its own in
the outlets. Others, and signal handlers, only ask: what they ask for is done between two chunks.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from datetime import datetime

from kws.audio import RATE_HZ, Samples
from kws.daemon.anew import begin_anew
from kws.daemon.health import Health, WordHealth
from kws.daemon.notify import Notifier
from kws.daemon.outlets import outlets_of, reach_s
from kws.daemon.ring import Ring
from kws.daemon.settings import Settings
from kws.daemon.source import Gap, Source
from kws.daemon.steady import SteadyMicrophone
from kws.daemon.vocabulary import Vocabulary
from kws.daemon.wake import Outlet, Wake
from kws.detector import Detector
from kws.errors import Failure
from kws.gate import GateRule
from kws.listener import Heard, Listener

_log = logging.getLogger(__name__)

_REST_S = 0.25


class Witness:
    """Is told of each chunk and each wake, at once and on the loop's thread, to show them. This one shows nothing."""

    def heard(self, heard: Heard) -> None:
        """A chunk was heard."""

    def woke(self, wake: Wake) -> None:
        """A word was heard in it."""

    def gap(self, why: str) -> None:
        """Sound is missing; told again and again while there is none."""


class Loop:
    """Listens until it is told to end."""

    def __init__(
        self,
        settings: Settings,
        health: Health,
        *,
        reread: Callable[[], Settings] | None = None,
        source: Callable[[str | None], Source] = SteadyMicrophone,
        notifier: Notifier | None = None,
    ) -> None:
        """`reread` gives the settings anew when a reload is asked for; `source` takes up the sound of a device, or of
        anything else. Raises Failure if something cannot be had.
        """
        self._settings, self._reread = settings, reread or (lambda: settings)
        self._health, self._notifier = health, notifier or Notifier({})
        self._health.muted = settings.muted
        self._source = source
        self.witnesses: list[Witness] = []
        """Who is told of each chunk."""
        self._vocabulary = Vocabulary(settings.words)
        self._listener = Listener(self._vocabulary.detectors, gate=_gate(settings))
        self._ring = Ring(reach_s(settings))
        self._outlets: list[Outlet] = []
        self._mutes, self._reloads, self._ends = settings.muted, False, False
        self._is_in_gap = True
        self._earlier = 0, 0
        self._count_words()
        self._open_outlets()

    @property
    def detectors(self) -> list[Detector]:
        """What it listens with now."""
        return self._vocabulary.detectors

    def end(self) -> None:
        """Ask it to end."""
        self._ends = True

    def mute(self, on: bool) -> None:
        """Ask it to let go of the microphone, or to take it up again."""
        self._mutes = on

    def reload(self) -> None:
        """Ask it to read its settings and detectors anew."""
        self._reloads = True

    def begin_anew(self) -> None:
        """Put a new process in place of this one, muted if this is; for another thread, when this one is held fast."""
        _log.warning("the driver of the microphone %r does not answer: beginning anew", self._health.device)
        begin_anew(self._notifier.taken, is_muted=self._mutes)

    def run(self) -> None:
        """Listen until `end` is called; then give everything back."""
        try:
            self._notifier.ready()
            while not self._ends:
                if self._mutes:
                    self._rest()
                else:
                    self._listen()
        finally:
            self._notifier.stopping()
            self._close_outlets()

    def _listen(self) -> None:
        """Hear what the source gives until there is no more, or the loop is to end, to rest or to take another."""
        device = self._settings.device
        source = self._source(device)
        self._earlier = self._health.overruns, self._health.reconnections
        with contextlib.closing(iter(source)) as items:
            for item in items:
                self._look(source)
                if isinstance(item, Gap):
                    self._miss(item.why)
                else:
                    self._hear(item)
                self._obey()
                if self._ends or self._mutes or self._settings.device != device:
                    break
            else:
                self._ends = True
        self._miss(f"{source.name!r} was closed")

    def _rest(self) -> None:
        """Be deaf, with the microphone closed, until that or the whole is to end."""
        self._health.muted, self._health.device_state = True, "closed"
        self._show_muted(True)
        while self._mutes and not self._ends:
            time.sleep(_REST_S)
            self._notifier.rested()
            self._obey()
        self._health.muted = False
        self._show_muted(False)

    def _show_muted(self, on: bool) -> None:
        _log.info("muted: the microphone is closed" if on else "no longer muted")
        for outlet in self._outlets:
            outlet.show_muted(on)
        self._notifier.status(self._health.told())

    def _hear(self, sound: Samples) -> None:
        """Feed a chunk (S,) to everything, in the order that outlets count on."""
        self._is_in_gap = False
        begun_s = time.thread_time()
        heard = self._listener.feed(sound)
        self._health.inference_s += time.thread_time() - begun_s
        self._ring.add(sound)
        for outlet in self._outlets:
            outlet.hear(sound)
        scores = dict(zip(self._vocabulary.names, heard.scores, strict=True))
        self._health.heard(len(sound) / RATE_HZ, heard.level_db, scores)
        self._notifier.scored()
        for witness in self.witnesses:
            witness.heard(heard)
        for word, fired in zip(self._vocabulary.words, heard.fired, strict=True):
            for detection in fired:
                self._wake(Wake(detection=detection, at=datetime.now().astimezone(), word=word))

    def _wake(self, wake: Wake) -> None:
        self._health.woke(wake.detection, wake.at)
        for outlet in self._outlets:
            outlet.wake(wake, self._ring)
        for witness in self.witnesses:
            witness.woke(wake)
        self._notifier.status(self._health.told())

    def _miss(self, why: str) -> None:
        """Begin anew after a gap, once, however often it is told while it lasts."""
        if not self._is_in_gap:
            self._is_in_gap = True
            self._health.gaps += 1
            self._listener.reset()
            self._ring.forget()
            for outlet in self._outlets:
                outlet.gap()
        for witness in self.witnesses:
            witness.gap(why)

    def _look(self, source: Source) -> None:
        """Write down how the source fares, and tell systemd when its state changes."""
        health = self._health
        overruns, reconnections = self._earlier
        health.overruns = overruns + source.overruns
        health.reconnections = reconnections + max(0, source.openings - 1)
        health.queue_depth = source.waiting
        if (health.device, health.device_state) != (source.name, source.state):
            health.device, health.device_state = source.name, source.state
            self._notifier.status(health.told())

    def _obey(self) -> None:
        """Do what was asked for since the last chunk."""
        if self._reloads:
            self._reloads = False
            self._notifier.reloading()
            try:
                self._take(self._reread())
                _log.info("reloaded: listening for %s", ", ".join(self._vocabulary.names))
            except Failure as failure:
                _log.error("not reloaded, and all is as it was: %s", failure)
            self._notifier.ready()

    def _take(self, settings: Settings) -> None:
        """Go on with other settings; no chunk is lost, since they wait in the microphone's queue meanwhile.

        Raises Failure if a detector or an outlet cannot be had, and goes on as before.
        """
        before, words = self._settings, self._vocabulary
        vocabulary = Vocabulary(settings.words, words)
        self._settings, self._vocabulary = settings, vocabulary
        if _outward(settings, vocabulary) != _outward(before, words):
            self._close_outlets()
            try:
                self._open_outlets()
            except Failure:
                self._settings, self._vocabulary = before, words
                self._open_outlets()
                raise
        self._ring = Ring(reach_s(settings), self._ring.heard)
        if settings.gate != before.gate:
            self._listener.gate, self._is_in_gap = _gate(settings), False
            self._miss("the gate was changed")
        self._listener.exchange(vocabulary.detectors)
        self._count_words()
        if settings.metrics != before.metrics or settings.json != before.json:
            _log.warning("metrics and json are taken up when it starts the next time")

    def _count_words(self) -> None:
        counted = self._health.words
        self._health.words = {word: counted.get(word, WordHealth()) for word in self._vocabulary.names}

    def _open_outlets(self) -> None:
        self._outlets = outlets_of(self._settings, self._vocabulary.names, self.mute)
        for outlet in self._outlets:
            outlet.show_muted(self._health.muted)
        self._health.outlets = {outlet.kind: outlet.counts for outlet in self._outlets}

    def _close_outlets(self) -> None:
        for outlet in self._outlets:
            outlet.close()


def _gate(settings: Settings) -> GateRule | None:
    return GateRule() if settings.gate else None


def _outward(settings: Settings, vocabulary: Vocabulary) -> tuple[object, ...]:
    """What of the settings outlets are made of."""
    words = settings.words
    return (
        settings.mqtt,
        settings.keep,
        {word.webhook for word in words},
        any(word.exec for word in words),
        vocabulary.names if settings.mqtt else None,
    )
