"""Another engine, measured as ours are: a program in an environment of its own that scores what it is sent.

The program is started with the detector's name as its last argument, says who it is in one line of JSON on its standard
output, and then answers each stretch of sound with one line of JSON:

    {"word": "alexa", "threshold": 0.5, "step_s": 0.08, "first_s": 0.08}
    [0.0, 0.02]

`step_s`: seconds from one score to the next. `first_s`: seconds of sound behind the first. On its standard input it
gets the number of samples as four bytes, least first, and so many samples of 16 bits, 16 kHz mono; it answers with the
scores in [0, 1] that they gave, none or several. No samples mean that it is to forget all sound; it answers nothing.

Its scores are judged by the rule that ours are: at or above the threshold the word is heard, and not again for two
seconds. An engine that only says yes scores 1 where it would and 0 elsewhere: its DET is a single point.
S samples, N scores.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kws.audio import Samples, pcm16
from kws.audition import hear
from kws.config import Decision
from kws.decision import Decider, Detection
from kws.det import Scores
from kws.errors import Failure, Misuse


class Adapter:
    """A program that scores sound, as a `kws.audition.Listener`."""

    def __init__(self, command: Sequence[str], threshold: float | None = None) -> None:
        """Start it. `threshold`: instead of its own. Raises Misuse if there is no such program, Failure if it does not
        say who it is.
        """
        self._name = shlex.join(command)
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the program runs
        try:
            self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._told)
        except OSError as error:
            self._told.close()
            raise Misuse(f"{self._name} cannot be started ({error.strerror}): name a program that is there.") from error
        about = self._answer()
        try:
            self.word = str(about["word"])
            self.frame_seconds, self.first_score_s = float(about["step_s"]), float(about["first_s"])
            own = float(about["threshold"])
        except (TypeError, KeyError, ValueError) as error:
            raise self._failure(f"does not say who it is ({about!r})") from error
        self.decision = Decision(threshold=own if threshold is None else threshold, warm_up_s=0.0, lag_s=0.0)
        self._begin()

    @property
    def threshold(self) -> float:
        """The score from which the word counts as heard."""
        return self.decision.threshold

    def reset(self) -> None:
        """Forget all sound."""
        self._send(np.zeros(0, np.int16))
        self._begin()

    def feed(self, chunk: Samples) -> list[Detection]:
        """The detections in (S,) more samples; a word is taken to end where it is detected."""
        if not len(chunk):
            return []
        self._send(pcm16(chunk))
        answer = self._answer()
        try:
            scores = np.asarray(answer, np.float32).reshape(-1)
        except (TypeError, ValueError) as error:
            raise self._failure(f"does not answer with scores ({answer!r})") from error
        if not np.all((scores >= 0) & (scores <= 1)):
            raise self._failure(f"gives scores that do not lie between 0 and 1 ({answer!r})")
        self._fed.update(chunk.tobytes())
        self._scores.append(scores)
        return [
            Detection(word=self.word, time=time_s, end=time_s, score=score)
            for time_s, score in self._decider.feed(scores)
        ]

    def scores(self, samples: Samples) -> Scores:
        """All scores (N,) of (S,) samples from a fresh state. What was just fed is not scored again, other sound is,
        and the stream begins anew.
        """
        if self._fed.digest() != hashlib.blake2b(samples.tobytes()).digest():
            hear(self, samples)
        return np.concatenate([np.zeros(0, np.float32), *self._scores])

    def close(self) -> None:
        """End the program."""
        self._program.kill()
        self._program.wait()
        for stream in (self._program.stdin, self._program.stdout, self._told):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # of what was not sent any more
                    stream.close()

    def _begin(self) -> None:
        self._decider = Decider(self.decision, self.first_score_s, self.frame_seconds)
        self._fed = hashlib.blake2b()
        self._scores: list[Scores] = []

    def _send(self, pcm: NDArray[np.int16]) -> None:
        assert self._program.stdin is not None
        try:
            self._program.stdin.write(len(pcm).to_bytes(4, "little") + pcm.tobytes())
            self._program.stdin.flush()
        except OSError as error:
            raise self._failure("ended") from error

    def _answer(self) -> Any:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        if not line:
            raise self._failure("ended")
        try:
            return json.loads(line)
        except ValueError as error:
            raise self._failure(f"does not answer in JSON ({line[:80].decode(errors='replace').strip()!r})") from error

    def _failure(self, what: str) -> Failure:
        """One sentence, with the last line that the program said on its standard error."""
        self._told.seek(0)
        last = next((line.strip() for line in reversed(self._told.readlines()) if line.strip()), "")
        self.close()
        said = f", having said {last[:200]!r}" if last else ""
        return Failure(f"{self._name} {what}{said}: the head of kws/adapter.py tells how an adapter answers.")
