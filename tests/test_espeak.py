"""eSpeak NG says words and phonemes in several languages, as the seed draws, in a process of its own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from synth.child import Child
from synth.espeak import Espeak, as_espeak_writes
from synth.voices import EngineMissing, Saying

WORDS = {
    "en-us": "smart mirror athena thirty activate judge vision butter button bottle sing fire weird poor chair music",
    "en": "smart mirror athena thirty activate judge vision butter bottle sing fire power weird poor chair world",
    "de": "achtung bücher schön ich zwei pferd deutsch straße übung spiegel rechner mädchen löffel genau garage",
    "fr": "bonjour monsieur un bon vin blanc lune peur garage oignon huit oui ordinateur miroir fenêtre champagne",
    "es": "llamar perro ayer niño guitarra espejo luz zapato juego chico agua ciudad huevo doble gente",
    "es-419": "llamar perro ayer niño luz zapato juego chico agua ciudad",
}


@pytest.mark.parametrize("accent", WORDS)
def test_every_phoneme_of_a_language_comes_back_from_the_names_it_is_spoken_by(espeak: Espeak, accent: str) -> None:
    child = Child("synth.espeak_child")
    for word in WORDS[accent].split():
        ipa = espeak.phonemes(word, accent)
        names = espeak.mnemonics(ipa, accent)
        answer, _ = child.ask({"do": "phonemes", "mnemonics": True, "text": names, "voice": accent})
        assert answer["phonemes"] == ipa, word
    child.close()


@pytest.mark.parametrize("language", ["en-us", "de", "fr", "es"])
def test_phonemes_that_a_language_lacks_are_refused_by_name(espeak: Espeak, language: str) -> None:
    with pytest.raises(ValueError, match="'ʘ'"):
        espeak.mnemonics("aʘa", language)


def test_american_phonemes_are_said_by_every_accent_of_english(espeak: Espeak) -> None:
    saying = Saying(text="smart mirror", ipa="smɑːɹt ˈmɪɹɚ")
    lengths = [len(espeak.speak(saying, voice, 5).samples) for voice in espeak.voices("train", "en")]
    assert len(lengths) == 48
    assert min(lengths) > 0.3 * 22050


def test_an_accent_says_american_phonemes_in_its_own_way(espeak: Espeak) -> None:
    names = espeak.mnemonics("ˈbɑːtəl", "en-us")
    child = Child("synth.espeak_child")
    answer, _ = child.ask({"do": "phonemes", "mnemonics": True, "text": names, "voice": "en"})
    child.close()
    assert answer["phonemes"].startswith("bˈɒt")


@pytest.mark.parametrize(
    ("typed", "written"),
    [("/ˈstrɛŋθ/", "strˈɛŋθ"), ("t͡ʃɛk", "t^ʃɛk"), ("'gu:d", "ɡˈuːd"), ("ə.ˈθiː.nə", "əθˈiːnə"), ("mˈɪɹɚ", "mˈɪɹɚ")],
)
def test_phonemes_are_read_as_people_type_them(typed: str, written: str) -> None:
    assert as_espeak_writes(typed) == written


def test_a_typed_r_is_an_english_r_in_english_and_a_trill_in_spanish(espeak: Espeak) -> None:
    assert espeak.mnemonics("rɛd", "en-us") == espeak.mnemonics("ɹɛd", "en-us")
    assert espeak.mnemonics("ro", "es") != espeak.mnemonics("ɾo", "es")


@pytest.mark.parametrize(("language", "accents"), [("en-us", 8), ("de", 1), ("fr", 3), ("es", 2), ("pt-br", 2)])
def test_each_accent_has_six_even_variants_that_train_and_seven_odd_ones_for_the_test(
    espeak: Espeak, language: str, accents: int
) -> None:
    train, test = espeak.voices("train", language), espeak.voices("test", language)
    assert (len(train), len(test)) == (6 * accents, 7 * accents)
    assert {int(voice[-1]) % 2 for voice in train} == {0}
    assert {int(voice[-1]) % 2 for voice in test} == {1}
    assert espeak.voices("validation", language) == ()


@pytest.mark.parametrize(
    ("language", "text"), [("de", "Spiegel"), ("fr", "miroir"), ("es-419", "espejo"), ("no", "speil")]
)
def test_words_of_other_languages_are_heard_and_unlike_in_english(espeak: Espeak, language: str, text: str) -> None:
    speech = espeak.speak(Saying(text=text, language=language), espeak.voices("train", language)[0], 1)
    assert np.abs(speech.samples).max() > 0.05
    assert 0.2 < len(speech.samples) / speech.rate_hz < 2
    assert espeak.phonemes(text, language) != espeak.phonemes(text, "en-us")


def test_a_language_that_espeak_does_not_know_has_no_voices_and_cannot_be_said(espeak: Espeak) -> None:
    assert espeak.voices("train", "xx") == ()
    with pytest.raises(ValueError, match="does not speak 'xx'"):
        espeak.phonemes("word", "xx")
    with pytest.raises(ValueError, match="does not speak xx"):
        espeak.speak(Saying(text="word", language="xx"), "en-us+m2", 1)


def test_a_word_of_another_language_within_a_text_leaves_no_mark_among_the_phonemes(espeak: Espeak) -> None:
    ipa = espeak.phonemes("un whisky", "fr")
    assert "w" in ipa and "(" not in ipa


def test_a_seed_speaks_the_same_samples_whatever_was_said_before(espeak: Espeak) -> None:
    saying = Saying(text="activate")
    first = espeak.speak(saying, "en-us+f2", 7).samples
    espeak.speak(Saying(text="Spiegel", language="de"), "de+m4", 8)
    copy: Espeak = pickle.loads(pickle.dumps(espeak))
    np.testing.assert_array_equal(espeak.speak(saying, "en-us+f2", 7).samples, first)
    np.testing.assert_array_equal(copy.speak(saying, "en-us+f2", 7).samples, first)
    copy.close()


def test_seeds_draw_paces_from_slow_to_quick(espeak: Espeak) -> None:
    lengths = [len(espeak.speak(Saying(text="activate"), "en-us+f2", seed).samples) for seed in range(30)]
    assert max(lengths) > 1.4 * min(lengths)


def test_a_child_that_was_killed_is_told_of_and_started_again() -> None:
    child = Child("synth.espeak_child")
    request = {"do": "phonemes", "mnemonics": False, "text": "yes", "voice": "en-us"}
    said = child.ask(request)
    process = child._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(EngineMissing, match=r"synth\.espeak_child ended"):
        child.ask(request)
    assert child.ask(request)[0] == said[0]
    child.close()
