"""eSpeak NG, spoken to through a child process: accents x variants of a language, and anybody's phonemes.

The library is GPL-3, so it never enters our process: `python -m synth.espeak_child` loads it.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cached_property
from importlib import metadata
from pathlib import Path

from synth.child import Child
from synth.manner import draw_pace, manner
from synth.voices import ESPEAK_ACCENTS, ESPEAK_VARIANTS, EngineMissing, Saying, Speech, Split, espeak_name, primary_tag

USUAL_WORDS_PER_MINUTE = 175
PITCHES = (30, 81)
"""Lowest and highest, where eSpeak's own scale runs from 0 to 99 and a voice's usual pitch is 50."""

_OTHER_SCRIPT = re.compile("latn|pinyin|shaw")
_SWITCH = re.compile(r"\([^)]*\)|-")
"""What eSpeak writes where it changes the language within a text, or joins words."""
_VOWEL = "aeiouyæøœɑɐɒɔəɘɚɛɜɝɞɤɨɪɯɵɶʉʊʌʏᵻ"
_LATE_STRESS = re.compile(rf"([ˈˌ])([^ˈˌ\s{_VOWEL}]+)(?=[{_VOWEL}])")
_TYPED = (("͡", "^"), ("͜", "^"), ("g", "ɡ"), (":", "ː"), ("'", "ˈ"), (".", ""), ("/", ""))
_LIQUIDS = "lɹr"
"""What may as well be a consonant of its own after a vowel, unless it is tied to it."""
_UNSOUNDED = {"ˈ": "'", "ˌ": ",", " ": " ", ",": "_:"}


class Espeak:
    """Speaks and transcribes through one child process that stays alive for many requests."""

    name = "espeak"
    licence = "speech by eSpeak NG (program: GPL-3.0 or later, which does not reach the sound it makes)"

    def __init__(self) -> None:
        if data_folder() is None:
            raise EngineMissing("eSpeak NG is not installed: pip install espeakng-loader")
        self._child = Child("synth.espeak_child")
        self._sounds: dict[str, dict[str, str]] = {}

    @cached_property
    def identity(self) -> str:
        """The release of the library."""
        return f"espeakng-loader {metadata.version('espeakng-loader')}"

    def voices(self, split: Split, language: str) -> tuple[str, ...]:
        """Every accent of the language with every variant of the split, such as `en-us+f2` or `es-419+m1`."""
        return tuple(f"{accent}+{variant}" for accent in self.accents(language) for variant in ESPEAK_VARIANTS[split])

    def accents(self, language: str) -> tuple[str, ...]:
        """How eSpeak speaks a language, whichever of its accents was named: es and es-419 for either of them."""
        primary = primary_tag(language)
        if primary == "en":
            return ESPEAK_ACCENTS
        return tuple(accent for accent in self._accents if primary_tag(accent) == primary)

    def phonemes(self, text: str, language: str = "en-us") -> str:
        """The IPA of `text`, the letters of one phoneme tied by ^ (so that diphthongs can be told from hiatus).

        Raises ValueError if eSpeak does not know the language.
        """
        request = {"do": "phonemes", "mnemonics": False, "text": text, "voice": self._ordered(language)[0]}
        answer, _ = self._child.ask(request)
        return _SWITCH.sub("", str(answer["phonemes"]))

    def speak(self, saying: Saying, voice: str, seed: int) -> Speech:
        """Say it with a voice such as `en-us+f2`; the seed draws pace and pitch.

        Raises ValueError if the voice is of another language or cannot say one of the phonemes.
        """
        accent = voice.partition("+")[0]
        if primary_tag(accent) != primary_tag(saying.language):
            raise ValueError(f"eSpeak NG's voice {voice} does not speak {saying.language}")
        draw = manner(saying, voice, seed)
        request = {
            "do": "speak",
            "mnemonics": bool(saying.ipa),
            "text": self.mnemonics(saying.ipa, saying.language) if saying.ipa else saying.text,
            "voice": voice,
            "rate": round(USUAL_WORDS_PER_MINUTE * draw_pace(draw)),
            "pitch": int(draw.integers(*PITCHES)),
        }
        answer, samples = self._child.ask(request)
        return Speech(samples=samples, rate_hz=int(answer["rate_hz"]), voice=f"espeak:{voice}")

    def mnemonics(self, ipa: str, language: str) -> str:
        """IPA in eSpeak's ASCII names, which every accent of the language then says in its own way.

        It is read as the named accent would write it, else as another accent of the language; raises ValueError for a
        phoneme that none of them has.
        """
        written = as_espeak_writes(ipa)
        english = written.replace("r", "ɹ") if primary_tag(language) == "en" else written
        readings = dict.fromkeys((english, written, written.replace("ː", "")))
        refusal = ValueError("nothing to say")
        for accent in self._ordered(language):
            if accent not in self._sounds:
                answer, _ = self._child.ask({"do": "sounds", "voice": accent})
                self._sounds[accent] = answer["sounds"]
            for reading in readings:
                try:
                    return spell(reading, self._sounds[accent])
                except ValueError as error:
                    refusal = error
        raise refusal

    def close(self) -> None:
        """End the child process."""
        self._child.close()

    def _ordered(self, language: str) -> list[str]:
        """The accents of a language, the one that was named first."""
        accents = self.accents(language)
        if not accents:
            raise ValueError(f"eSpeak NG does not speak {language!r}: name a language as in --language de")
        named = espeak_name(language)
        return sorted(accents, key=lambda accent: accent != named)

    @cached_property
    def _accents(self) -> tuple[str, ...]:
        """All that have a dictionary and write the language as its people do."""
        folder = data_folder()
        assert folder is not None
        names = sorted(path.name.lower() for path in (folder / "lang").rglob("*") if path.is_file())
        return tuple(
            name for name in names
            if not _OTHER_SCRIPT.search(name) and (folder / f"{_dictionary(name)}_dict").is_file()
        )  # fmt: skip


def data_folder() -> Path | None:
    """Where the voices of the installed eSpeak NG lie; the package itself is not loaded."""
    found = importlib.util.find_spec("espeakng_loader")
    return Path(found.origin).parent / "espeak-ng-data" if found and found.origin else None


def as_espeak_writes(ipa: str) -> str:
    """IPA as people type it in the way eSpeak writes it: its letters, ^ between tied ones, stress before the vowel."""
    for typed, written in _TYPED:
        ipa = ipa.replace(typed, written)
    return _LATE_STRESS.sub(r"\2\1", ipa.strip())


def spell(ipa: str, sounds: dict[str, str]) -> str:
    """Write IPA by the longest `sounds` that fit, each followed by | so that neighbours do not run together.

    IPA without any tie may be read with or without them. Raises ValueError for what no sound fits.
    """
    untied = {} if "^" in ipa else {
        sound.replace("^", ""): name for sound, name in sounds.items() if sound[-1] not in _LIQUIDS
    }  # fmt: skip
    known = {**untied, **sounds}
    longest = max(map(len, known))
    spelt, at = "", 0
    while at < len(ipa):
        if ipa[at] in _UNSOUNDED:
            spelt += _UNSOUNDED[ipa[at]]
            at += 1
            continue
        piece = next((ipa[at:end] for end in range(at + longest, at, -1) if ipa[at:end] in known), "")
        if not piece:
            raise ValueError(f"eSpeak NG cannot say {ipa[at]!r} of {ipa!r} in this language: respell it")
        spelt += f"{known[piece]}|"
        at += len(piece)
    return spelt


def _dictionary(accent: str) -> str:
    return {"nb": "no"}.get(accent, accent.partition("-")[0])
