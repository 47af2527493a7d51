"""What it takes to get a detector of a word: ours, those that learn from recordings, and others' quick starts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare_peers import Environment

from kws.files import make_folder

MOST_S = 3600.0
"""For one command of a quick start."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """An engine that says it makes a detector from the text of a word."""

    name: str
    packages: tuple[str, ...]
    licence: str
    files: Mapping[str, str]
    """What its quick start wants written beforehand, by name."""
    commands: tuple[tuple[str, ...], ...]
    """Its documented quick start."""
    fetched_mb: float
    """What that fetches, by what it says itself."""

    def environment(self, root: Path) -> Environment:
        """Where it is installed, below a folder."""
        return Environment(name=self.name, packages=self.packages, root=root)

    def tried(self, python: Path, folder: Path) -> Iterator[dict[str, Any]]:
        """Its quick start in a folder, until a command fails: how each ended, after how long, and its last line."""
        make_folder(folder)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        for program, *arguments in self.commands:
            begun_s = time.monotonic()
            ended, said = _run([str(python.with_name(program)), *arguments], folder)
            minutes = round((time.monotonic() - begun_s) / 60, 2)
            yield {"command": " ".join((program, *arguments)), "minutes": minutes, "ended": ended, "said": said}
            if ended != 0:
                return


def _run(command: list[str], folder: Path) -> tuple[int | None, str]:
    """How a command ended, None if it had to be stopped, and the last line it wrote."""
    log = folder / "said.txt"
    with log.open("w") as out:
        try:
            ended = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False, timeout=MOST_S
            ).returncode
        except subprocess.TimeoutExpired:
            ended = None
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return ended, lines[-1] if lines else ""


TRAINERS = (
    Trainer(
        name="livekit-wakeword",
        packages=("torch==2.13.0", "livekit-wakeword[train,eval,export]==0.3.0"),
        licence="Apache-2.0",
        files={
            "word.yaml": "model_name: alexa\ntarget_phrases: [alexa]\nn_samples: 10000\n"
            "model: {model_type: conv_attention, model_size: small}\nsteps: 50000\ntarget_fp_per_hour: 0.2\n"
        },
        commands=(
            ("livekit-wakeword", "setup", "--config", "word.yaml"),
            ("livekit-wakeword", "run", "word.yaml"),
        ),
        fetched_mb=166 + 176 + 16_000 + 1_100 + 8,  # a voice, validation features, features, MUSAN, rooms: its cli.py
    ),
)
