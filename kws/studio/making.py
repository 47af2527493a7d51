"""The one `kws new` that runs: a process of its own, which tells how far it is in lines of JSON.

It may run for many minutes, and goes on where it was stopped, so that closing the studio loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

from kws.errors import Failure, told_by
from kws.studio.guard import Busy
from kws.studio.words import Order, Words

KWS = (sys.executable, "-m", "kws")
_LINES = 40
_LONGEST_LINE = 2**20
_FAREWELL_S = 20.0
_STOPPED = frozenset({130, -signal.SIGINT, -signal.SIGTERM})


class Making:
    """Starts, follows and stops it."""

    def __init__(self, words: Words, program: Sequence[str] = KWS) -> None:
        self._words, self._program = words, tuple(program)
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.name = ""
        """Of the word that is being made, or was last."""
        self.progress: dict[str, Any] | None = None
        """How far it is: stage, number, of, done, total, unit, rate_per_s, left_s and whole_left_s."""
        self.log: deque[str] = deque(maxlen=_LINES)
        """What it said last."""

    @property
    def is_running(self) -> bool:
        """Whether one runs."""
        return self._task is not None and not self._task.done()

    async def start(self, order: Order) -> None:
        """Begin it, or go on with one that was stopped; a detector that is done is trained anew.

        Raises Busy while another runs.
        """
        if self.is_running:
            raise Busy(f"{self.name!r} is being made: wait for it, or stop it.")
        if order.name in self._words.names and self._words.standing(order.name).state == "done":
            shutil.rmtree(self._words.out(order.name) / "run", ignore_errors=True)
        self._words.ask(order)
        self.name, self.progress = order.name, None
        self.log.clear()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._program, *self._arguments(order), cwd=self._words.folder, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=_LONGEST_LINE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._words.ended(order.name, "failed", str(error))
            raise Failure(f"kws new cannot be started ({error}).") from error
        self._task = asyncio.create_task(self._follow(self._process, order.name))

    async def stop(self) -> None:
        """Have it stop, as Ctrl-C would; kill it if it does not."""
        process, task = self._process, self._task
        if process is None or task is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), _FAREWELL_S)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await task

    def _arguments(self, order: Order) -> list[str]:
        words = self._words
        arguments = ["new", "--out", str(words.out(order.name).relative_to(words.folder)), "--language", order.language]
        for said in order.say:
            arguments += ["--say", said]
        if order.minutes is not None:
            arguments += ["--budget", str(order.minutes)]
        if words.sounds(order.name, "positives"):
            arguments += ["--positives", str(words.place(order.name, "positives").relative_to(words.folder))]
        if words.sounds(order.name, "negatives") or words.sounds(order.name, "backgrounds"):
            arguments += ["--negatives", str(words.place(order.name, "negatives").relative_to(words.folder))]
        return [*arguments, "--progress", "json", "--", order.word]

    async def _follow(self, process: asyncio.subprocess.Process, name: str) -> None:
        """Read what it tells until it ends."""
        assert process.stdout is not None
        async for line in process.stdout:
            self._take(line.decode(errors="replace").strip())
        code = await process.wait()
        self.progress = None
        if code == 0:
            self._words.ended(name, "done")
        elif code in _STOPPED:
            self._words.ended(name, "stopped")
        else:
            self._words.ended(name, "failed", told_by(self.log, code))

    def _take(self, line: str) -> None:
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                self.progress = json.loads(line)
                return
        if line:
            self.log.append(line)
