"""A stand-in for `kws new` in the processes that a sweep starts, behind the true door of such a process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kws.cli import main
from kws.cli.trial import MakeTrial, Trial

PATIENCE_S = 30

KWS_NEW = """
import json, os, pathlib, sys, time
import kws.cli, kws.cli.trial

def new():
    words = sys.argv[1:]
    out = pathlib.Path(words[words.index("--out") + 1])
    word, seed = words[-1], int(words[words.index("--seed") + 1])
    with (out / "asked.jsonl").open("a") as asked:
        asked.write(json.dumps([os.getpid(), words, os.environ.get("OMP_NUM_THREADS")]) + "\\n")
    if word == "mute" and not (out.parent / "mended").exists():
        print('{"stage": "bank"}\\nkws: no speech engine here speaks it: see kws voices.', file=sys.stderr)
        sys.exit(1)
    try:
        while (out.parent / "wait").exists():
            time.sleep(0.02)
    except KeyboardInterrupt:
        (out / "stopped").touch()
        sys.exit(130)
    (out / "run").mkdir(exist_ok=True)
    (out / "report").mkdir(exist_ok=True)
    frr = 0.1 * seed + 0.01 * len(word)
    line = {"frr": frr, "utterances": 240, "hours": 2.0, "false_accepts_per_hour": 0.5, "shortfall": float("inf")}
    (out / "run" / "log.jsonl").write_text(json.dumps({**line, "frr": 0.9}) + "\\n" + json.dumps(line) + "\\n")
    share = {"missed": 1, "of": 20}
    heard = {"made_talk": {"false_accepts": 2, "hours": 1.5}, "background_held_out": {"false_accepts": 9, "hours": 9}}
    conditions = {"condition": {"clean": share, "far": {"missed": 8, "of": 20}}}
    report = {"positives": {"groups": conditions, **share}, "negatives": {"classes": heard}}
    (out / "report" / "report.json").write_text(json.dumps(report))
    (out / f"{'_'.join(word.split())}.onnx").touch()

kws.cli.main = new
kws.cli.trial.main()
"""
DRIVER = f"""
import kws.cli.trial
from kws.cli import main
kws.cli.trial.KWS_NEW = ("-c", {KWS_NEW!r})
main()
"""
"""`kws` whose sweeps start the stand-in."""


def kws_sweep(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of `kws sweep` in this process."""
    monkeypatch.setattr("kws.cli.trial.KWS_NEW", ("-c", KWS_NEW))
    monkeypatch.setattr(sys, "argv", ["kws", "sweep", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def until(holds: Callable[[], object]) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def lives(process: int) -> bool:
    """Whether a process of this Linux machine runs."""
    try:
        return "zombie" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def job(out: Path, *words: str, seeds: tuple[int, ...] = (1,), **more: Any) -> MakeTrial:
    """Trials of these words, made by the stand-in."""
    trials = tuple(Trial(word=word, seed=seed) for seed in seeds for word in words)
    return MakeTrial(trials=trials, out=out, program=("-c", KWS_NEW), **more)


def asked(folder: Path) -> list[Any]:
    """What the stand-in was started with in a trial's folder: its process, its words, its threads."""
    return [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]


def records(out: Path) -> list[dict[str, Any]]:
    """The lines of a sweep."""
    return [json.loads(line) for line in (out / "sweep.jsonl").read_text().splitlines()]
