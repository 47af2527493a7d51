"""eSpeak NG, spoken to through a child process.

The library is GPL-3, so it never enters our process: `python -m synth.espeak` loads it, reads one JSON request a
line from standard input and answers each with one JSON line (followed, for speech, by that many int16 samples).
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.voices import EngineMissing, Speech

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_UTF8 = 1
_PHONEMES_IPA_WITH_TIES = 0x02 | 0x80 | (ord("^") << 8)
_RATE_WORDS_PER_MINUTE = 1
_PITCH = 3


class Espeak:
    """Speaks and transcribes through one child process that stays alive for many requests."""

    name = "espeak"

    def __init__(self) -> None:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise EngineMissing("eSpeak NG is not installed: pip install espeakng-loader")
        self._child = subprocess.Popen(
            [sys.executable, "-m", "synth.espeak"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def phonemes(self, text: str, language: str = "en-us") -> str:
        """The IPA of `text`, the letters of one phoneme tied by ^ (so that diphthongs can be told from hiatus)."""
        return str(self._ask({"phonemes": text, "voice": language})["phonemes"])

    def speak(self, text: str, voice: str, *, speed: float = 1.0, pitch: int = 50) -> Speech:
        """Speak with a voice such as `en-us+f3`; speed 1 is 175 words a minute, pitch runs from 0 to 99."""
        answer = self._ask({"speak": text, "voice": voice, "rate": round(175 * speed), "pitch": pitch})
        assert self._child.stdout is not None
        raw = self._child.stdout.read(2 * int(answer["samples"]))
        samples = np.frombuffer(raw, dtype="<i2").astype(np.float32) / np.float32(32768)
        return Speech(samples=samples, rate_hz=int(answer["rate_hz"]), voice=f"espeak:{voice}")

    def close(self) -> None:
        """End the child process."""
        self._child.communicate()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(json.dumps(request).encode() + b"\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise EngineMissing("the eSpeak NG child process ended: reinstall it with pip install espeakng-loader")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer


def _serve() -> None:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    rate_hz = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    heard: list[NDArray[np.int16]] = []

    def collect(wave: Any, count: int, _events: int) -> int:
        if count > 0:
            heard.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)(collect)
    library.espeak_SetSynthCallback(callback)
    for line in sys.stdin:
        request = json.loads(line)
        if library.espeak_SetVoiceByName(request["voice"].encode()) != 0:
            print(json.dumps({"error": f"eSpeak NG has no voice {request['voice']!r}"}), flush=True)
        elif "phonemes" in request:
            print(json.dumps({"phonemes": _transcribe(library, request["phonemes"])}), flush=True)
        else:
            heard.clear()
            library.espeak_SetParameter(_RATE_WORDS_PER_MINUTE, request["rate"], 0)
            library.espeak_SetParameter(_PITCH, request["pitch"], 0)
            text = request["speak"].encode()
            library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
            library.espeak_Synchronize()
            samples = np.concatenate(heard) if heard else np.zeros(0, np.int16)
            print(json.dumps({"samples": len(samples), "rate_hz": rate_hz}), flush=True)
            sys.stdout.buffer.write(samples.astype("<i2").tobytes())
            sys.stdout.buffer.flush()


def _transcribe(library: Any, text: str) -> str:
    """Clause by clause: the library moves the pointer on and sets it to null at the end."""
    buffer = ctypes.create_string_buffer(text.encode())
    place = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    while place.value:
        clause = library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, _PHONEMES_IPA_WITH_TIES)
        clauses.append(clause.decode().strip())
    return ", ".join(clause for clause in clauses if clause)


if __name__ == "__main__":
    _serve()
