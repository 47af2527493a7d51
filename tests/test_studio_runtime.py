"""onnxruntime-web fetched by `kws studio --get`, from an npm that is a stand-in; and the site written with it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kws.errors import Failure
from kws.studio import browser_runtime
from kws.studio.browser_runtime import FILES, fetch, is_there
from kws.studio.site import export

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An npm that packs files of our own, whatever it is asked."""
    with tarfile.open(tmp_path / "package.tgz", "w:gz") as packed:
        for name in FILES:
            (tmp_path / name).write_text(f"this is {name}")
            packed.add(tmp_path / name, f"package/dist/{name}")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "npm"
    program.write_text(f"#!/bin/sh\ncp '{tmp_path}/package.tgz' onnxruntime-web-1.0.0.tgz\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_files_that_are_not_those_expected_are_not_kept(npm: None, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"is not the one expected \(its SHA-256 differs\)"):
        fetch(tmp_path / "runtime")
    assert not (tmp_path / "runtime").exists()


def test_files_that_are_those_expected_are_kept(npm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {name: hashlib.sha256(f"this is {name}".encode()).hexdigest() for name in FILES}
    monkeypatch.setattr(browser_runtime, "FILES", digests)
    assert not is_there(tmp_path / "runtime")
    fetch(tmp_path / "runtime")
    assert is_there(tmp_path / "runtime")


def kws_studio(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kws", "studio", *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def test_what_is_missing_is_told_in_one_sentence(tmp_path: Path) -> None:
    for arguments, code, said in (
        (("--get",), 1, "npm is not installed"),
        (("--export", tmp_path / "site"), 1, "get it with kws studio --get"),
        (("--detector", "activate"), 2, "add --export DIR"),
        ((tmp_path / "damaged", "--no-open"), 1, "is damaged"),
    ):
        (tmp_path / "damaged").mkdir(exist_ok=True)
        (tmp_path / "damaged" / "studio.json").write_text("{")
        done = kws_studio(*arguments, PATH=str(tmp_path), KWS_CACHE=str(tmp_path / "cache"))
        assert done.returncode == code, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = kws_studio(tmp_path, "--no-open", "--port", taken.getsockname()[1])
    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert "name another with --port" in done.stderr


def test_a_site_is_written_of_detectors_and_of_nothing_else(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    for name in FILES:
        (runtime / name).touch()
    (tmp_path / "none.onnx").write_text("no detector")
    with pytest.raises(Failure, match=r"none\.onnx is no detector"):
        export(tmp_path / "site", runtime, {"none": tmp_path / "none.onnx"})
    assert not (tmp_path / "site").exists()
