"""Phones: eSpeak's transcriptions cut up and put together again, and the laws of the distance between them."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.phones import (
    distance,
    is_vowel,
    nearest_stretch,
    phone_distance,
    phones,
    phones_apart,
    spelt,
    spoken_words,
    syllables,
)

CONSONANTS = "p b t d k ɡ ʔ m n ŋ ɲ f v θ s z ʃ ç x h ʁ r ɾ ɹ l ʎ j w t^ʃ d^ʒ t^s p^f rʲ ჰ ж"
VOWELS = "i iː ɪ y e ɛ ɛ̃ æ a aː ɑː ə ɚ ɜː ᵻ ʌ ɐ ɔ o o^ʊ a^ɪ ʊ uː"
ALPHABET = (*CONSONANTS.split(), *VOWELS.split())
WORDS = st.lists(st.sampled_from(ALPHABET), max_size=5).map(tuple)
TRANSCRIPTIONS = {
    "ˈæktᵻvˌe^ɪt": "æ k t ᵻ v e^ɪ t",
    "smˈɑː^ɹt mˈɪɹɚ": "s m ɑː ɹ t m ɪ ɹ ɚ",
    "lˈɪɾə^l bˈʌʔn̩": "l ɪ ɾ ə l b ʌ ʔ ə n",
    "ɪç p^fˈʏt^sə, bˈɔ^ømə": "ɪ ç p^f ʏ t^s ə b ɔ^ø m ə",
    "kˌoɾasˈɐ̃^ʊ̃": "k o ɾ a s ɐ̃^ʊ̃",
    "pˈit^sːa prʲivʲˈet": "p i t^sː a p rʲ i vʲ e t",
    "(en)ni2(de) χˈɑ^u2!": "n i χ ɑ^u",
    "fˈa^ɪ^ɚ": "f a^ɪ ɚ",
}


@pytest.mark.parametrize(("ipa", "cut"), TRANSCRIPTIONS.items())
def test_a_transcription_is_cut_into_its_phones(ipa: str, cut: str) -> None:
    assert " ".join(phones(ipa)) == " ".join(phones(cut))
    assert len(phones(ipa)) == len(cut.split())


@pytest.mark.parametrize("ipa", TRANSCRIPTIONS)
def test_words_of_phones_can_be_written_and_read_again(ipa: str) -> None:
    assert spoken_words(spelt(spoken_words(ipa))) == spoken_words(ipa)


@given(st.text() | st.text(alphabet="aəktʃ^ːˈˌ̩̃ʲ ()1"))
def test_anything_can_be_cut_and_compared(text: str) -> None:
    heard = phones(text)
    assert all(heard)
    assert distance(heard, heard) == 0
    assert distance(heard, ()) >= 0.5 * len(heard) - 1e-9
    assert [phone for word in spoken_words(text) for syllable in syllables(word) for phone in syllable] == [
        phone for word in spoken_words(text) for phone in word
    ]


@given(WORDS, WORDS)
def test_the_distance_is_symmetric_and_zero_only_for_the_same(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    assert distance(first, second) == pytest.approx(distance(second, first))
    assert (distance(first, second) == 0) == (first == second)


@given(WORDS, WORDS, WORDS)
def test_no_detour_is_shorter(first: tuple[str, ...], middle: tuple[str, ...], last: tuple[str, ...]) -> None:
    assert distance(first, last) <= distance(first, middle) + distance(middle, last) + 1e-9


def test_phones_are_counted_whether_they_are_alike_or_not() -> None:
    assert [phones_apart(tuple("kitten"), tuple(other)) for other in ("kitten", "sitten", "kiten", "sitting", "")] == [
        0, 1, 1, 3, 6,
    ]  # fmt: skip


@given(WORDS, WORDS)
def test_the_distance_is_the_cheapest_way_to_edit(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    @cache
    def cheapest(one: tuple[str, ...], other: tuple[str, ...]) -> float:
        if not one or not other:
            return sum(phone_distance(phone, "") for phone in one + other)
        return min(
            cheapest(one[1:], other[1:]) + phone_distance(one[0], other[0]),
            cheapest(one[1:], other) + phone_distance(one[0], ""),
            cheapest(one, other[1:]) + phone_distance("", other[0]),
        )

    assert distance(first, second) == pytest.approx(cheapest(first, second))


@given(WORDS, WORDS)
def test_the_nearest_stretch_is_the_nearest_of_all_stretches(word: tuple[str, ...], heard: tuple[str, ...]) -> None:
    ends = range(len(heard) + 1)
    stretches = [heard[start:end] for start in ends for end in ends if start <= end]
    assert nearest_stretch(word, heard) == pytest.approx(min(distance(word, stretch) for stretch in stretches))


@pytest.mark.parametrize(
    ("near", "far"),
    [
        ("p b", "p z"), ("t ɾ", "t n"), ("m n", "m f"), ("ɪ i", "ɪ a"), ("ə ᵻ", "i u"), ("e^ɪ e", "e^ɪ a^ʊ"),
        ("iː i", "iː ɪ"), ("t^ʃ ʃ", "t^ʃ m"), ("ʁ r", "ʁ l"), ("f θ", "f k"), ("ɛ ɛ̃", "ɛ k"), ("i j", "i k"),
        ("v w", "v s"),
    ],
)  # fmt: skip
def test_likes_are_nearer_than_unlikes(near: str, far: str) -> None:
    assert 0 < phone_distance(*near.split()) < phone_distance(*far.split()) <= 1


def test_a_schwa_is_missed_less_than_another_vowel_and_a_glide_less_than_a_stop() -> None:
    assert phone_distance("ə", "") < phone_distance("a", "")
    assert phone_distance("j", "") < phone_distance("k", "")


def test_an_unknown_letter_is_as_far_from_one_as_from_another() -> None:
    assert phone_distance("ჰ", "p") == phone_distance("ჰ", "a") == phone_distance("ჰ", "ж") == 0.5


@pytest.mark.parametrize(
    ("ipa", "parts"),
    [
        ("ˈæktᵻvˌe^ɪt", "ˈæk tᵻ vˌe^ɪt"), ("kəmpjˈuːɾɚ", "kəm pjˈuː ɾɚ"), ("lymjˈɛʁ", "ly mjˈɛʁ"), ("kˈasa", "kˈa sa"),
        ("hˈa^ʊs", "hˈa^ʊs"), ("ʃ", "ʃ"), ("pˈatɹi", "pˈa tɹi"),
    ],
)  # fmt: skip
def test_words_are_cut_into_syllables(ipa: str, parts: str) -> None:
    (word,) = spoken_words(ipa)
    assert ["".join(syllable) for syllable in syllables(word)] == [
        "".join(spoken_words(part)[0]) for part in parts.split()
    ]


@given(WORDS.filter(lambda word: any(map(is_vowel, word))))
def test_a_syllable_has_one_vowel(word: tuple[str, ...]) -> None:
    assert all(sum(map(is_vowel, syllable)) == 1 for syllable in syllables(word))
