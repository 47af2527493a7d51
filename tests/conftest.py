"""What several tests need: a small random detector, made without training, a small disk, and eSpeak."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from studio_server import Client, made_by, running

from kws.config import Decision, FrontEnd, Shape
from kws.export import export
from kws.model import Net
from synth.espeak import Espeak

# A job started in the background ignores Ctrl-C, and so would every command the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test speaks is kept away from the user's cache, in the processes it starts too."""
    os.environ["KWS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def tiny_net() -> Net:
    """A seeded random net whose scores vary: batch norm set as if it had met log-mel frames, the head made bold."""
    torch.manual_seed(214)
    net = Net(FrontEnd(), Shape(channels=8, kernel=9, stride=3, hidden=8, layers=2, members=1)).eval()
    with torch.no_grad():
        net.nets[0].norm.running_var.copy_(torch.rand(8) + 0.5)
        net.nets[0].head.weight.mul_(6)
    return net


@pytest.fixture(scope="session")
def tiny_detector_path(tiny_net: Net, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a detector that was never trained."""
    path = tmp_path_factory.mktemp("detector") / "tiny.onnx"
    export(path, tiny_net, "test", Decision(threshold=0.5), {"language": "en"})
    return path


@pytest.fixture
def draw() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(11)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 kB, where we may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("mounting a small file system needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.fixture(scope="module")
def espeak() -> Iterator[Espeak]:
    """The speech engine, where it is installed."""
    pytest.importorskip("espeakng_loader")
    engine = Espeak()
    yield engine
    engine.close()


@pytest.fixture
def client(tmp_path: Path, tiny_detector_path: Path) -> Iterator[Client]:
    """A studio of an empty folder, in which a word is made by a stand-in."""
    with running(tmp_path / "home", tmp_path / "runtime", made_by(tiny_detector_path)) as client:
        yield client
