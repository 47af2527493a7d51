"""The scripts that measure: what they print, what they leave alone, what they say when a thing is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kws.audio import RATE_HZ, write_audio

ROOT = Path(__file__).parent.parent


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *arguments], env={**os.environ, **environment},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip


@pytest.fixture
def sound(tmp_path: Path, draw: np.random.Generator) -> Path:
    path = tmp_path / "sound.wav"
    write_audio(path, draw.normal(0, 0.1, 3 * RATE_HZ).astype(np.float32))
    return path


def test_bench_listen_tells_medians_and_a_ratio_from_alternating_runs(tiny_detector_path: Path, sound: Path) -> None:
    pytest.importorskip("pymicro_wakeword")
    options = ["--audio", str(sound), "--minutes", "0.2", "--repeats", "2"]
    done = run("bench_listen", str(tiny_detector_path), *options, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [len(told["runs"][who]) for who in ("ours", "peer", "listen")] == [2, 2, 2]
    ratio = told["cpu_ratio_ours_to_peer"]
    assert 0 < ratio["least"] <= ratio["most"]
    for who in ("ours", "peer"):
        assert 0 < told["medians"][who]["cpu_per_s"] < 1
        assert told["medians"][who]["ready_s"] > 0
        assert told["medians"][who]["peak_mib"] > 5


def test_bench_listen_says_in_one_sentence_what_it_cannot_read(tiny_detector_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("pymicro_wakeword")
    done = run("bench_listen", str(tiny_detector_path), "--audio", str(tmp_path / "none.wav"))
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
