"""What listening costs: an adapter of scripts/peers in a process of its own, on one core, fed a file of samples."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from kws.errors import Failure

ADAPTERS = Path(__file__).resolve().parent / "peers"


def pin(core: int) -> None:
    """Keep this process, and those it starts, to one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def last_core() -> int:
    """The one that is left to itself the most."""
    return (os.cpu_count() or 1) - 1


def run_adapter(python: str, adapter: str, model: str, pcm: Path) -> dict[str, float]:
    """What it says of its cost, fed with PCM. Raises Failure if it fails."""
    command = [python, str(ADAPTERS / adapter), model, "--cost", str(pcm), "--started", repr(time.time())]
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        raise Failure(f"{Path(adapter).name} ended with {done.returncode}: see what it said above.")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
