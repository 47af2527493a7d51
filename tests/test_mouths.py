"""Other mouths: each change does what it says and nothing else, on made vowels whose pitch and formants are known."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter
from small_bank import tone_word

from kws.audio import RATE_HZ, Samples, active_rms, read_audio
from kws.demo import read_demo
from synth.mouths import MAN_HZ, Mouth, MouthRanges, draw_mouth, said_by

pytest.importorskip("pyworld")

ROOT = Path(__file__).parent.parent
FORMANTS_HZ = (700.0, 1300.0, 2500.0)


def vowel(pitch_hz: float = 120.0, swing_semitones: float = 0.0, seconds: float = 0.6) -> Samples:
    """A buzz through three resonances, its pitch swinging to and fro, between two short silences."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    swung_hz = pitch_hz * 2 ** (swing_semitones / 12 * np.sin(2 * np.pi * 3 * time_s))
    phase = np.cumsum(swung_hz) / RATE_HZ
    sound = np.diff(np.floor(phase), prepend=0.0)
    for formant_hz in FORMANTS_HZ:
        radius = np.exp(-np.pi * 80 / RATE_HZ)
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * formant_hz / RATE_HZ), radius**2], sound)
    silence = np.zeros(RATE_HZ // 20)
    return np.concatenate((silence, sound / np.abs(sound).max() * 0.5, silence)).astype(np.float32)


def pitch_of(samples: Samples) -> tuple[float, float]:
    """Median in Hz, and the reach from the 5th to the 95th percentile in semitones, by autocorrelation of 50 ms."""
    heard, window = [], np.hanning(800)
    alone = np.correlate(window, window, "full")[799:1200]
    for start in range(2400, len(samples) - 3200, 160):
        frame = samples[start : start + 800] * window
        alike = np.correlate(frame, frame, "full")[799:1200] / alone
        first, last = RATE_HZ // 450, RATE_HZ // 70
        lag = first + int(np.flatnonzero(alike[first:last] > 0.9 * alike[first:last].max())[0])
        lag += int(np.argmax(alike[lag : lag + 6]))
        before, at, after = alike[lag - 1 : lag + 2]
        heard.append(RATE_HZ / (lag + (before - after) / (2 * (before - 2 * at + after))))
    low, high = np.percentile(heard, (5, 95))
    return float(np.median(heard)), float(12 * np.log2(high / low))


def formants_of(samples: Samples) -> list[float]:
    """The resonances in Hz by linear prediction of the wave."""
    middle = samples[len(samples) // 2 - 2000 : len(samples) // 2 + 2000].astype(np.float64)
    raised = np.append(middle[0], middle[1:] - 0.9 * middle[:-1]) * np.hanning(len(middle))
    lags = np.correlate(raised, raised, "full")[len(raised) - 1 : len(raised) + 12]
    roots = np.roots(np.concatenate(([1.0], -solve_toeplitz(lags[:-1], lags[1:]))))
    roots = roots[(roots.imag > 0) & (np.abs(roots) > 0.94)]
    return sorted(np.angle(roots) * RATE_HZ / (2 * np.pi))


def roughness(samples: Samples) -> float:
    """How much of the sound above 2.5 kHz does not come back after one period of 120 Hz, in [0, 1]."""
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE_HZ) < 2500] = 0
    high = np.fft.irfft(spectrum, len(samples))[3000:-3000]
    period = round(RATE_HZ / 120)
    return float(1 - np.corrcoef(high[period:], high[:-period])[0, 1])


def test_the_made_vowel_is_what_it_is_said_to_be() -> None:
    assert pitch_of(vowel())[0] == pytest.approx(120, rel=0.01)
    assert formants_of(vowel())[:3] == pytest.approx(FORMANTS_HZ, rel=0.06)


def test_the_neutral_mouth_gives_the_clip_itself() -> None:
    assert np.array_equal(said_by(vowel(), Mouth()), vowel())


def test_taking_apart_and_putting_together_keeps_pitch_formants_and_length() -> None:
    said = said_by(vowel(), Mouth(intonation=0.999))
    assert len(said) == len(vowel())
    assert pitch_of(said)[0] == pytest.approx(120, rel=0.01)
    assert formants_of(said)[:3] == pytest.approx(formants_of(vowel())[:3], rel=0.02)


@pytest.mark.parametrize("tract", [0.8, 0.9, 1.2])
def test_a_longer_tract_lowers_the_formants_and_leaves_the_pitch(tract: float) -> None:
    said = said_by(vowel(), Mouth(tract=tract))
    assert formants_of(said)[:3] == pytest.approx(np.array(formants_of(vowel())[:3]) / tract, rel=0.02)
    assert pitch_of(said)[0] == pytest.approx(120, rel=0.01)


@pytest.mark.parametrize("pitch", [0.75, 1.3, 2.0])
def test_another_pitch_leaves_the_formants(pitch: float) -> None:
    said = said_by(vowel(), Mouth(pitch=pitch))
    assert pitch_of(said)[0] == pytest.approx(120 * pitch, rel=0.02)
    assert formants_of(said)[:3] == pytest.approx(formants_of(vowel())[:3], rel=0.04)


@pytest.mark.parametrize("intonation", [0.0, 0.5, 2.0])
def test_intonation_widens_the_swing_around_the_same_median(intonation: float) -> None:
    swinging = vowel(swing_semitones=1.0)
    median_hz, swing = pitch_of(said_by(swinging, Mouth(intonation=intonation)))
    assert median_hz == pytest.approx(pitch_of(swinging)[0], rel=0.03)
    assert swing == pytest.approx(pitch_of(swinging)[1] * intonation, abs=0.2)


@pytest.mark.parametrize("tempo", [0.7, 1.4])
def test_tempo_changes_the_length_alone(tempo: float) -> None:
    said = said_by(vowel(), Mouth(tempo=tempo))
    assert len(said) == round(len(vowel()) / tempo)
    assert pitch_of(said)[0] == pytest.approx(120, rel=0.01)
    assert np.abs(said[: round(0.03 * RATE_HZ / tempo)]).max() < 0.02, "the silence before the word lasts as long, too"


def test_breath_makes_the_high_voice_rough() -> None:
    clear, breathy = (roughness(said_by(vowel(), Mouth(breath=breath))) for breath in (0.01, 0.8))
    assert clear < 0.4
    assert breathy > clear + 0.3


@pytest.mark.parametrize("pitch_hz", [100.0, 210.0])
def test_a_child_speaks_at_a_childs_pitch_whoever_spoke_before(pitch_hz: float) -> None:
    said = said_by(vowel(pitch_hz), Mouth(reference="man", pitch=290 / MAN_HZ, tract=0.75))
    assert pitch_of(said)[0] == pytest.approx(290, rel=0.02)


def test_a_man_becomes_a_child_by_more_than_a_woman_does() -> None:
    child = Mouth(reference="man", tract=0.8)
    of_man, of_woman = (formants_of(said_by(vowel(pitch_hz), child))[2] for pitch_hz in (120.0, 225.0))
    assert of_man == pytest.approx(FORMANTS_HZ[2] / 0.8, rel=0.02)
    assert of_woman == pytest.approx(FORMANTS_HZ[2] * 0.864 / 0.8, rel=0.02)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), child=st.booleans(), loud=st.sampled_from([0.002, 0.3, 1.9]))
def test_every_mouth_keeps_the_level_and_never_clips(seed: int, child: bool, loud: float) -> None:
    mouth = draw_mouth(np.random.default_rng(seed), MouthRanges.child() if child else MouthRanges.adult())
    sound = vowel() * np.float32(loud)
    said = said_by(sound, mouth)
    assert said.dtype == np.float32
    assert len(said) == round(len(sound) / mouth.tempo)
    assert np.abs(said).max() <= 1
    level = active_rms(said) / active_rms(sound)
    assert level == pytest.approx(1, rel=1e-3) or (level < 1 and np.abs(said).max() == pytest.approx(1, rel=1e-3))


@pytest.mark.parametrize("ranges", [MouthRanges.adult(), MouthRanges.child()])
def test_mouths_are_drawn_from_all_of_their_ranges_and_from_nowhere_else(
    ranges: MouthRanges, draw: np.random.Generator
) -> None:
    mouths = [draw_mouth(draw, ranges) for _ in range(400)]
    for name in ("tract", "pitch", "intonation", "tempo", "breath"):
        low, high = getattr(ranges, name)
        values = np.array([getattr(mouth, name) for mouth in mouths])
        assert values.min() >= low and values.max() <= high
        assert values.max() - values.min() > 0.95 * (high - low)


def test_the_same_generator_draws_the_same_mouth() -> None:
    first, again = (draw_mouth(np.random.default_rng(5), MouthRanges.child()) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("length", [0, 1, 30, 200, 1000])
@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_what_holds_no_voice_is_no_trouble(length: int, kind: str, draw: np.random.Generator) -> None:
    sound = (draw.normal(0, 0.1, length) if kind == "noise" else np.zeros(length)).astype(np.float32)
    mouth = Mouth(reference="man", tract=0.7, pitch=2.0, tempo=1.25, intonation=2.0, breath=1.0)
    said = said_by(sound, mouth)
    assert np.isfinite(said).all()
    assert len(said) == (round(length / 1.25) if kind == "noise" else length)


def test_a_whisper_stays_a_whisper_of_the_same_level(draw: np.random.Generator) -> None:
    whisper = lfilter([1.0], [1.0, -0.9], draw.normal(0, 0.02, RATE_HZ)).astype(np.float32)
    said = said_by(whisper, Mouth(tract=0.8, pitch=1.3))
    assert active_rms(said) == pytest.approx(active_rms(whisper), rel=1e-3)


def test_the_same_clip_and_mouth_give_the_same_bytes_in_every_process() -> None:
    program = (
        "import hashlib, sys; sys.path.append('tests'); "
        "from small_bank import tone_word; from synth.mouths import Mouth, said_by; "
        "mouth = Mouth(tract=0.9, pitch=1.2, tempo=1.1, breath=0.4); "
        "print(hashlib.sha256(said_by(tone_word(180, 0.5, 0.3), mouth).tobytes()).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    mouth = Mouth(tract=0.9, pitch=1.2, tempo=1.1, breath=0.4)
    here = [hashlib.sha256(said_by(tone_word(180, 0.5, 0.3), mouth).tobytes()).hexdigest() for _ in range(2)]
    assert {told.stdout.strip()} == set(here)


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = SourceFileLoader(name, str(ROOT / "scripts" / name))
    module = module_from_spec(spec_from_loader(name, loader) or pytest.fail("no such script"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setitem(sys.modules, name, module)
    loader.exec_module(module)
    return module


def test_diversity_measures_pitch_formants_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    diversity = script("diversity", monkeypatch)
    measured = diversity.measure(vowel(150.0))
    assert measured == pytest.approx([150, np.prod(FORMANTS_HZ) ** (1 / 3), 0.6], rel=0.05)
    assert diversity.measure(said_by(vowel(150.0), Mouth(tract=0.85)))[1] == pytest.approx(measured[1] / 0.85, rel=0.04)
    assert diversity.measure(np.zeros(RATE_HZ, np.float32)) is None


def test_diversity_counts_who_lies_among_the_positives(monkeypatch: pytest.MonkeyPatch) -> None:
    diversity = script("diversity", monkeypatch)
    grid = [[pitch_hz, 1200.0, 0.8] for pitch_hz in np.linspace(100, 200, 201)]
    positives = diversity.Crowd(name="positives", voices=np.array(grid), unmeasured=0)
    people = [[150.0, 1200.0, 0.8], [150.0, 1230.0, 0.9], [150.0, 1500.0, 0.8], [300.0, 1200.0, 0.8]]
    told = diversity.covered(diversity.Crowd(name="people", voices=np.array(people), unmeasured=0), positives)
    assert told == {"pitch": 3, "formants": 2, "both": 1, "length": 3, "near one": 2}


def test_the_recogniser_knows_the_word_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pocketsphinx")
    intelligible = script("intelligible", monkeypatch)
    recogniser = intelligible.Recogniser()
    assert recogniser.knows("smart mirror") and not recogniser.knows("tivate")
    demo = read_demo()
    sound = read_audio(demo.audio)
    said = [event for event in demo.events if recogniser.knows(event.word) and event.kind in {"positive", "near-miss"}]
    recogniser.choose_from(sorted({event.word for event in said}))
    cut = [sound[round((event.start - 0.1) * RATE_HZ) : round((event.end + 0.1) * RATE_HZ)] for event in said]
    heard = [recogniser.hear(samples) == event.word for samples, event in zip(cut, said, strict=True)]
    assert len(heard) > 8 and np.mean(heard) > 0.75
