"""A program of our own that is spoken to line by line, so that what it loads never enters our process.

Both ends are here: `Child` in our process, `serve` in the other. A request is one line of JSON; the answer is one line
of JSON, followed, if it names a count of "samples", by that many int16 samples.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from synth.voices import EngineMissing

Answer = tuple[dict[str, Any], NDArray[np.int16]]
NO_SOUND = np.zeros(0, np.int16)

_HOME = str(Path(__file__).resolve().parent.parent)


class Child:
    """One child process, started at the first request and again in any process that this object reaches."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_process": None}

    def __del__(self) -> None:
        self.close()

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], NDArray[np.float32]]:
        """Send a request; gives the answer and (S,) samples in [-1, 1].

        Raises ValueError if the child cannot do it, EngineMissing if it does not run.
        """
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self._lost()
        line = process.stdout.readline()
        if not line:
            self._lost()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        raw = process.stdout.read(2 * int(answer["samples"]))
        if len(raw) < 2 * int(answer["samples"]):
            self._lost()
        return answer, np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(32768)

    def close(self) -> None:
        """End the child, if this process started one."""
        if self._process is not None and self._owner == os.getpid():
            assert self._process.stdin is not None and self._process.stdout is not None
            with contextlib.suppress(BrokenPipeError):  # what it was told last, it did not read
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            known = os.environ.get("PYTHONPATH")
            found = {"PYTHONPATH": os.pathsep.join([_HOME, known] if known else [_HOME])}
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **found}
            )
            self._owner = os.getpid()
        return self._process

    def _lost(self) -> NoReturn:
        module = self._command[2]
        assert self._process is not None
        self._process.kill()
        self.close()
        raise EngineMissing(f"python -m {module} ended unasked: its words above say why")


def serve(answer: Callable[[dict[str, Any]], Answer]) -> None:
    """Answer requests on standard input until it ends; a ValueError becomes the answer's "error".

    Only answers reach the true standard output: what libraries print goes to standard error. Ctrl-C is the parent's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        for line in sys.stdin.buffer:
            try:
                told, samples = answer(json.loads(line))
            except ValueError as error:
                told, samples = {"error": str(error)}, NO_SOUND
            out.write(json.dumps({**told, "samples": len(samples)}).encode() + b"\n")
            out.write(samples.astype("<i2").tobytes())
            out.flush()
