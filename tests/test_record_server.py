"""End to end on a real audio server: the word is played into PulseAudio, and `kws record` keeps it as it was said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_audio_server import PATIENCE_S, Server, missing, server

from kws.audio import RATE_HZ, active_rms, decibels, read_audio, word_edges
from kws.demo import read_demo
from synth.corpus import own_clips

__all__ = ["server"]

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"{missing()} not installed")


def test_what_is_said_on_the_server_is_kept_trimmed_and_can_be_trained_with(server: Server, tmp_path: Path) -> None:
    demo = read_demo()
    said = demo.positives[0]
    recording = read_audio(demo.audio)
    word = recording[round((said.start - 0.05) * RATE_HZ) : round((said.end + 0.05) * RATE_HZ)]
    soundfile.write(tmp_path / "word.wav", np.pad(word, RATE_HZ // 2), RATE_HZ)  # nobody answers a prompt at once
    command = [sys.executable, "-m", "kws", "record", "activate", "--yes", "--takes", "1"]
    command += ["--out", str(tmp_path / "own")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=server.environment, text=True) as process:
        assert process.stdout is not None
        out = ""
        try:
            for line in process.stdout:
                out += line
                if line.rstrip().endswith("now …"):
                    server.call("paplay", str(tmp_path / "word.wav"))
            err = process.communicate(timeout=PATIENCE_S)[1]
        finally:
            process.kill()
    assert process.returncode == 0, out + err
    assert out.endswith(f"Next:\n  kws new activate --positives {tmp_path / 'own'}\n")
    clips, skipped = own_clips("activate", tmp_path / "own", "train")
    assert [clip.voice for clip in clips] == ["recorded:own"] and skipped == ()
    kept = read_audio(tmp_path / "own" / "activate-001.flac")
    assert np.diff(word_edges(kept))[0] == pytest.approx(np.diff(word_edges(word))[0], abs=0.1)
    assert decibels(active_rms(kept)) == pytest.approx(decibels(active_rms(word)), abs=1)
    alike = np.correlate(np.pad(kept, RATE_HZ // 5), word, "valid").max()
    assert alike > 0.8 * float(np.linalg.norm(kept) * np.linalg.norm(word))
