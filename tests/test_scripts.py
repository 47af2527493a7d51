"""The scripts that measure: what they print, what they leave alone, what they say when a thing is missing."""

from __future__ import annotations

import json
import os
import re
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


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A folder with half a minute of noise and tones that the tiny detector answers."""
    draw = np.random.default_rng(3)
    samples = 0.01 * draw.normal(size=30 * RATE_HZ)
    for second in (5, 12, 19, 26):
        tone = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(RATE_HZ // 2) / RATE_HZ)
        samples[second * RATE_HZ : second * RATE_HZ + len(tone)] += tone
    folder = tmp_path / "talk"
    folder.mkdir()
    write_audio(folder / "talk.wav", samples.astype(np.float32))
    return folder


def test_stream_day_finds_the_loop_to_detect_what_a_detector_does(tiny_detector_path: Path, talk: Path) -> None:
    done = run("stream_day", str(tiny_detector_path), "--sound", str(talk), "--hours", "0.05", "--threshold", "0.3")
    assert done.returncode == 0, done.stderr
    assert "# 0.05 hours through the loop" in done.stdout
    chunks = re.search(r"; (\d+) chunks, 0 gaps within\.", done.stdout)
    assert chunks and int(chunks[1]) >= 2250, "a pipe may part a chunk in two, and loses none"
    assert ": the same." in done.stdout
    assert "'test': 0 detections" not in done.stdout


def test_stream_day_says_in_one_sentence_that_there_is_no_sound(tmp_path: Path) -> None:
    done = run("stream_day", "--sound", str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_bench_gate_tells_words_lost_and_time_saved(tiny_detector_path: Path, talk: Path, tmp_path: Path) -> None:
    done = run(
        "bench_gate", str(tiny_detector_path), "--positives", str(talk), "--negatives", str(talk),
        "--out", str(tmp_path / "gate.md"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "gate.md").read_text(encoding="utf-8")
    assert page == done.stdout
    (quiet,) = (line for line in page.splitlines() if line.startswith("| quiet |"))
    assert int(quiet.split("|")[4].split()[0]) > 10
