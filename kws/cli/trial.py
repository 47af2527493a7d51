"""One trial of a sweep: `kws new` of a word, with a seed and settings of the recipe, as a process of its own.

Both ends are here: what a crew's worker does, and what the process does that it starts. That process ends, as by
Ctrl-C, once its standard input has ended, so that none outlives a worker that was killed or sent home.
"""

from __future__ import annotations

import _thread
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kws.cli.kitchen import end_with_parent
from kws.cli.scenes import Wanted
from kws.cli.verdict import BACKGROUND
from kws.errors import Failure, told_by
from kws.files import alone, make_folder, read_lines
from kws.records import LOG
from kws.report import CONDITION

if TYPE_CHECKING:
    from kws.recipe import Setting

SAID = "said.txt"
"""In a trial's folder: what `kws new` says, its progress in lines of JSON."""
KWS_NEW = ("-m", "kws.cli.trial")
"""What Python runs for a trial."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A word, made with a seed and settings of the recipe."""

    word: str
    seed: int = 1
    settings: tuple[tuple[str, Setting], ...] = ()

    @property
    def settings_told(self) -> list[str]:
        """Each as --set takes it."""
        return [f"{name}={str(value).lower()}" for name, value in self.settings]

    @property
    def name(self) -> str:
        """Of its folder; always the same."""
        return "-".join([re.sub(r"[^\w']+", "_", self.word), f"seed={self.seed}", *self.settings_told])

    @property
    def arguments(self) -> list[str]:
        """Of `kws new`, behind the options that all trials share."""
        sets = [part for told in self.settings_told for part in ("--set", told)]
        return ["--seed", str(self.seed), *sets, "--progress", "json", "--", self.word]


@dataclass(frozen=True, kw_only=True)
class MakeTrial:
    """Makes a trial, or goes on with it; runs in a worker."""

    trials: tuple[Trial, ...]
    out: Path
    """A folder for each lies in it."""
    options: tuple[str, ...] = ()
    """Of `kws new`, the same for all."""
    cpus: int = 1
    program: tuple[str, ...]

    def __call__(self, number: int) -> dict[str, Any]:
        """What is known of the trial: its figures, or under `failure` a sentence."""
        trial, begun_s = self.trials[number], time.monotonic()
        told = {"trial": trial.name, "word": trial.word, "seed": trial.seed, "settings": dict(trial.settings)}
        try:
            self._run(trial)
            told |= figures(self.out / trial.name)
        except (Failure, OSError, ValueError, KeyError, IndexError) as error:
            told["failure"] = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}."
        return {**told, "minutes": round((time.monotonic() - begun_s) / 60, 2), "options": list(self.options)}

    def _run(self, trial: Trial) -> None:
        folder = self.out / trial.name
        make_folder(folder)
        words = ["new", "--out", str(folder), *self.options, "--cpus", str(self.cpus), *trial.arguments]
        command = [sys.executable, *self.program, *words]
        end_with_parent()
        with (folder / SAID).open("wb") as said, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT
        ) as process:  # fmt: skip
            code = process.wait()
        if code:
            raise Failure(told_by((folder / SAID).read_text(encoding="utf-8", errors="replace").splitlines(), code))
        if not detector_of(folder, trial.word).is_file():
            raise Failure(f"it ended without a detector: {folder / SAID} says what it did.")


def detector_of(folder: Path, word: str) -> Path:
    """The file that a trial ends with."""
    return folder / Wanted(word=word).file_name


def figures(folder: Path) -> dict[str, Any]:
    """What validation and verdict found, from the folder that `kws new` made; the verdict is None if there was none."""
    last = read_lines(folder / "run" / LOG)[-1]
    validation = {
        "frr": last["frr"], "utterances": last["utterances"], "hours": last["hours"],
        "false_accepts_per_hour": last["false_accepts_per_hour"],
        "shortfall": last["shortfall"] if math.isfinite(last["shortfall"]) else None,
    }  # fmt: skip
    report = folder / "report" / "report.json"
    verdict = _verdict(json.loads(report.read_text(encoding="utf-8"))) if report.is_file() else None
    return {"validation": validation, "verdict": verdict}


def _verdict(report: dict[str, Any]) -> dict[str, Any]:
    """Utterances missed in each condition, and false accepts in talk."""
    said, heard = report["positives"], report["negatives"]
    shares = (said["groups"].get(CONDITION) or {"clean": said}) if said else {}
    talk = [told for name, told in (heard["classes"] if heard else {}).items() if name != BACKGROUND]
    return {
        "missed": {name: [share["missed"], share["of"]] for name, share in shares.items()},
        "false_accepts": sum(told["false_accepts"] for told in talk),
        "talk_hours": round(sum(told["hours"] for told in talk), 3),
    }


def main() -> None:
    """The other end: `kws new`, one at a time in a folder, until it is done or nobody waits for it any longer."""
    from kws.cli import main as kws

    _hear_interrupts()
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        with alone(Path(sys.argv[sys.argv.index("--out") + 1]) / ".lock"):
            kws()
    except KeyboardInterrupt:  # while it waited
        sys.exit(130)


def _hear_interrupts() -> None:
    """A crew's worker hears no Ctrl-C, and neither would what it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _end_with_input() -> None:
    """Interrupt the main thread when standard input ends."""
    while os.read(0, 1024):  # past Python's buffer, whose lock would be missed at the end
        pass
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


if __name__ == "__main__":
    main()
