"""`python -m synth.espeak_child`: the process that eSpeak NG (GPL-3.0 or later) lives in."""

from __future__ import annotations

import _ctypes
import ctypes
import re
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.child import NO_SOUND, Answer, serve

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_UTF8 = 1
_READ_MNEMONICS = 0x100
_AS_IPA_WITH_TIES = 0x02 | 0x80 | (ord("^") << 8)
_AS_MNEMONICS = 0
_RATE_WORDS_PER_MINUTE = 1
_PITCH = 3
_VOWEL = 2
_CONSONANTS = range(3, 9)
_BESIDE_VOWELS = (("", ""), ("a", "a"), ("", "a"), ("a", ""))
_BESIDE_CONSONANTS = (("", ""), ("p", "p"), ("p", ""))
"""What a phoneme is probed between: many are written otherwise before a vowel or at a word's end."""
_FAVOURED = ("@", "0")
"""For ə rather than 3, for American ɑː rather than A:, since other accents of English tell them apart."""
_WORST = (True, True, 99, "")


class Library:
    """The loaded library, which speaks with one voice at a time."""

    def __init__(self) -> None:
        import espeakng_loader

        self._data = Path(espeakng_loader.get_data_path())
        self._path = espeakng_loader.get_library_path()
        self._heard: list[NDArray[np.int16]] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._collect = kind(self._hear)  # kept: the library holds only its address
        self._load()

    def answer(self, request: dict[str, Any]) -> Answer:
        """Do what is asked. Raises ValueError if there is no such voice."""
        if request["do"] == "speak":
            self._unload()
            self._load()
        if self._library.espeak_SetVoiceByName(request["voice"].encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {request['voice']!r}")
        if request["do"] == "sounds":
            return {"sounds": self._sounds(request["voice"])}, NO_SOUND
        flags = _READ_MNEMONICS if request["mnemonics"] else 0
        text = f"[[{request['text']}]]" if request["mnemonics"] else request["text"]
        if request["do"] == "phonemes":
            self._say("", flags)  # the library transcribes as it was last told to speak
            return {"phonemes": self._transcribe(text, _AS_IPA_WITH_TIES)}, NO_SOUND
        self._library.espeak_SetParameter(_RATE_WORDS_PER_MINUTE, request["rate"], 0)
        self._library.espeak_SetParameter(_PITCH, request["pitch"], 0)
        return {"rate_hz": self._rate_hz}, self._say(text, flags)

    def _load(self) -> None:
        self._library = ctypes.CDLL(self._path)
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._rate_hz = self._library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, str(self._data).encode(), 0)
        self._library.espeak_SetSynthCallback(self._collect)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))

    def _unload(self) -> None:
        """Let go of the library before each utterance (0.6 ms), since what it said before colours what it says next."""
        self._library.espeak_Terminate()
        handle = self._library._handle
        if sys.platform == "win32":
            _ctypes.FreeLibrary(handle)
        else:
            _ctypes.dlclose(handle)

    def _hear(self, wave: Any, count: int, _events: int) -> int:
        if count > 0:
            self._heard.append(np.ctypeslib.as_array(wave, shape=(count,)).copy())
        return 0

    def _say(self, text: str, flags: int) -> NDArray[np.int16]:
        self._heard.clear()
        raw = text.encode()
        self._library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _UTF8 | flags, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._heard) if self._heard else NO_SOUND

    def _transcribe(self, text: str, form: int) -> str:
        """Clause by clause: the library moves the pointer on and sets it to null at the end."""
        buffer = ctypes.create_string_buffer(text.encode())
        place = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while place.value:
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, form)
            clauses.append(clause.decode().strip())
        return ", ".join(clause for clause in clauses if clause)

    def _sounds(self, voice: str) -> dict[str, str]:
        """The IPA of every phoneme that a voice has, and its shortest mnemonic that stands for itself."""
        self._say("", _READ_MNEMONICS)
        found: dict[str, tuple[bool, bool, int, str]] = {}
        for name, kind in phoneme_names(self._data, voice):
            for before, after in _BESIDE_CONSONANTS if kind == _VOWEL else _BESIDE_VOWELS:
                ipa = self._probe(name, before, after, _AS_IPA_WITH_TIES)
                itself = self._probe(name, before, after, _AS_MNEMONICS) == name
                rank = (not itself, name not in _FAVOURED, len(name), name)
                if ipa and rank < found.get(ipa, _WORST):
                    found[ipa] = rank
        return {ipa: name for ipa, (_, _, _, name) in found.items()}

    def _probe(self, name: str, before: str, after: str, form: int) -> str:
        written = {bare: self._transcribe(f"[[{bare}]]", form) for bare in (before, after) if bare}
        whole = self._transcribe(f"[[{'|'.join(part for part in (before, name, after) if part)}]]", form)
        whole = re.sub("[ˈˌ',|]", "", whole)
        start, end = (re.sub("[ˈˌ',]", "", written.get(bare, "")) for bare in (before, after))
        return whole.removeprefix(start).removesuffix(end) if whole.startswith(start) and whole.endswith(end) else ""


def phoneme_names(data: Path, accent: str) -> list[tuple[str, int]]:
    """Mnemonic and kind of an accent's vowels and consonants, read from phontab, eSpeak's table file.

    The file's layout is that of libespeak-ng 1.49 to 1.52: a count, then each table's size, parent and name before its
    rows of 16 bytes. Raises ValueError if the accent has no table.
    """
    raw = (data / "phontab").read_bytes()
    tables: list[tuple[str, int, dict[int, tuple[str, int]]]] = []
    at = 4
    for _ in range(raw[0]):
        size, parent = raw[at], raw[at + 1]
        name = raw[at + 4 : at + 36].partition(b"\0")[0].decode()
        rows = struct.iter_unpack("<4s6xBB4x", raw[at + 36 : at + 36 + 16 * size])
        tables.append((name, parent, {code: (letters.rstrip(b"\0").decode(), kind) for letters, code, kind in rows}))
        at += 36 + 16 * size
    wanted = _table_of(data, accent)
    number = next((number for number, table in enumerate(tables, 1) if table[0] == wanted), 0)
    if not number:
        raise ValueError(f"eSpeak NG has no phonemes for {accent!r}")
    phonemes: dict[int, tuple[str, int]] = {}
    while number:
        _, parent, own = tables[number - 1]
        phonemes = own | phonemes
        number = parent
    return sorted((name, kind) for name, kind in phonemes.values() if name and (kind == _VOWEL or kind in _CONSONANTS))


def _table_of(data: Path, accent: str) -> str:
    """Named in the accent's file, else called as the language is."""
    for path in (data / "lang").rglob("*"):
        if path.name.lower() == accent and path.is_file():
            named = re.search(r"^phonemes\s+(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            return named[1] if named else accent.partition("-")[0]
    return ""


if __name__ == "__main__":
    serve(Library().answer)
