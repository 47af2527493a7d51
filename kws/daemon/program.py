"""The program of a word, run when it is heard, and the sound that is handed to it.

S samples.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import signal
import subprocess
import threading
import time
from collections import Counter

from kws.audio import RATE_HZ, Samples
from kws.daemon.handover import Handover, to_pcm, wav_header
from kws.daemon.ring import Ring
from kws.daemon.settings import Word
from kws.daemon.tally import Tally, one_line
from kws.daemon.wake import Outlet, Wake

MOST = 4
"""Programs of one word at once; a wake beyond that starts none."""
GRACE_S = 1.0
"""What a program has to end by itself when the daemon ends, then once it was asked to, and then once it was killed."""

_PATIENCE_S = 0.05
_QUEUED = 100
"""Chunks of sound that wait for a program that does not read; at 80 ms each 8 s, as a microphone's queue."""

_log = logging.getLogger(__name__)


class Programs(Outlet):
    """Runs what each word names, as an argument vector, each in a session of its own and on a thread of its own.

    A program gets KWS_WORD, KWS_SCORE, KWS_TIME and KWS_END (seconds of audio), with sound also KWS_RATE; its standard
    output goes to our error stream, since our standard output is for JSON alone.
    """

    kind = "program"

    def __init__(self) -> None:
        self._tally = Tally("started", "failed", "skipped", "chunks_dropped")
        self._runs: list[_Run] = []

    def hear(self, sound: Samples) -> None:
        """Hand it to the programs that are getting sound."""
        if self._runs:
            self._runs = [run for run in self._runs if run.is_alive()]
        for run in self._runs:
            run.hear(sound)

    def wake(self, wake: Wake, ring: Ring) -> None:
        """Start the word's program, if it has one."""
        if not wake.word.exec:
            return
        self._runs = [run for run in self._runs if run.is_alive()]
        if Counter(run.word for run in self._runs)[wake.word] >= MOST:
            self._tally.add("skipped")
            return
        run = _Run(wake, ring, self._tally)
        try:
            run.start()
        except RuntimeError as error:
            run.fail(f"cannot be started: {one_line(error)}")
        else:
            self._runs.append(run)

    def gap(self) -> None:
        """End the sound of all programs; they themselves go on."""
        for run in self._runs:
            run.end_sound()

    def counts(self) -> dict[str, int]:
        """Programs started, failed and skipped, and chunks of sound that no program read."""
        return self._tally.read()

    def close(self) -> None:
        """Let all programs end, then make them and what they started, each step within `GRACE_S`."""
        for run in self._runs:
            run.close()
        for run in self._runs:
            run.join(4 * GRACE_S)


class _Run(threading.Thread):
    """One program under way: started, fed and ended on this thread, so that nothing signals what is already gone."""

    def __init__(self, wake: Wake, ring: Ring, tally: Tally) -> None:
        super().__init__(name="program", daemon=True)
        self.word: Word = wake.word
        self._until = time.monotonic() + wake.word.exec_limit_s
        self._is_closing = False
        self._tally = tally
        self._told = f"the program {wake.word.exec[0]!r} of {wake.detection.word!r}"
        self._environment = os.environ | {
            f"KWS_{name.upper()}": str(value) for name, value in wake.fields().items() if name != "at"
        }
        self._sound: queue.Queue[bytes | None] = queue.Queue()
        self._handover: Handover | None = None
        if wake.word.hand_over:
            self._environment["KWS_RATE"] = str(RATE_HZ)
            span = Handover(ring, wake.detection.end, before_s=wake.word.before_s, after_s=wake.word.after_s)
            self._handover = span
            self._sound.put((wav_header() if wake.word.hand_over == "wav" else b"") + to_pcm(span.first))
            if span.is_over:
                self.end_sound()

    def hear(self, sound: Samples) -> None:
        """Queue what of it belongs to this program; called by the thread that infers."""
        if (span := self._handover) is None:
            return
        part = span.take(sound)
        if self._sound.qsize() < _QUEUED:
            self._sound.put(to_pcm(part))
        else:
            self._tally.add("chunks_dropped")
        if span.is_over:
            self.end_sound()

    def end_sound(self) -> None:
        """Let the program's standard input end after what is queued."""
        self._handover = None
        self._sound.put(None)

    def close(self) -> None:
        """Let the program end soon."""
        self._is_closing = True
        self._until = min(self._until, time.monotonic() + GRACE_S)
        self.end_sound()

    def fail(self, how: str) -> None:
        """Count and tell that the program did not do well."""
        self._tally.add("failed")
        _log.warning("%s %s", self._told, how)

    def run(self) -> None:
        """See the program from its start to its end."""
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a library may have blocked some, and children inherit that
        try:
            process = subprocess.Popen(
                self.word.exec,
                stdin=subprocess.PIPE if self.word.hand_over else subprocess.DEVNULL,
                stdout=2,
                bufsize=0,
                env=self._environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self.fail(f"cannot be started: {one_line(error)}")
            return
        self._tally.add("started")
        feed = _Feed(process, self._sound)
        while process.poll() is None and time.monotonic() < self._until:
            if not feed.pour():
                self._handover = None
                time.sleep(_PATIENCE_S)
        feed.close()
        self._conclude(process)

    def _conclude(self, process: subprocess.Popen[bytes]) -> None:
        code = process.poll()
        if code is None:
            _end(process)
            if not self._is_closing:
                self.fail(f"ran for longer than {self.word.exec_limit_s:g} s and was ended")
        elif code:
            self.fail(f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}")


class _Feed:
    """Writes queued sound to a program's standard input and never waits longer than a moment for it to be read."""

    def __init__(self, process: subprocess.Popen[bytes], sound: queue.Queue[bytes | None]) -> None:
        self._pipe = process.stdin
        self._sound = sound
        self._pending = memoryview(b"")
        if self._pipe is not None:
            os.set_blocking(self._pipe.fileno(), False)

    def pour(self) -> bool:
        """Write what there is, or wait a moment for some; False once there will be no more."""
        if self._pipe is None:
            return False
        if not self._pending:
            try:
                piece = self._sound.get(timeout=_PATIENCE_S)
            except queue.Empty:
                return True
            if piece is None:
                self.close()
                return False
            self._pending = memoryview(piece)
        try:
            if select.select([], [self._pipe], [], _PATIENCE_S)[1]:
                self._pending = self._pending[os.write(self._pipe.fileno(), self._pending) :]
        except BrokenPipeError:
            self.close()
        return self._pipe is not None

    def close(self) -> None:
        """End the program's standard input; what is still queued is not wanted."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program and all that it started to end, and make them after a while."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signum)
        until = time.monotonic() + GRACE_S
        while _is_left(process) and time.monotonic() < until:
            time.sleep(_PATIENCE_S)


def _is_left(process: subprocess.Popen[bytes]) -> bool:
    """Whether a program or anything of its group still runs."""
    if process.poll() is None:
        return True
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
