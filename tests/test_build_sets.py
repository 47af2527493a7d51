from __future__ import annotations

import argparse
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from script_module import load_script

from kws.audio import RATE_HZ, Samples, active_rms, decibels, read_audio, rms, word_edges, write_audio
from kws.errors import Failure
from kws.events import MANIFEST, read_manifest
from synth.bank import Bank, Clip, write_bank
from synth.conditions import CONDITIONS, FAR_RT60_S, Noises, Setting, apply, draw_setting, stretch


@pytest.fixture(scope="module")
def sets() -> Any:
    module = load_script("build_sets")
    module.ESPEAK_DRAWS = 1
    return module


def noise(seed: int, seconds: float = 4.0) -> Samples:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).clip(-1, 1).astype(np.float32)


def word(seed: int) -> Samples:
    """A burst of noise that swells and fades, with silence around it."""
    swell = np.sin(np.linspace(0, np.pi, RATE_HZ // 2)) ** 0.5
    return np.pad(noise(seed, 0.5) * swell.astype(np.float32), 800)


SOUNDS = {
    "speech_en": ["fotaq_00", *(f"fotaq_{n}" for n in range(10, 16)), *(f"fotaq_{n}" for n in range(17, 23))],
    "speech_other": [*(f"festvox-ru_0{n}" for n in range(5)), "asterisk-it-carlo_00", "asterisk-ru_00"],
    "music": ["music-wesnoth_00", "music-unknown-horizons_00", "music-singularity_00"],
    "effects": ["fx-lincity_00", "fx-tuxpaint-stamps_00", "fx-sonicpi-other_00"],
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    for name, files in SOUNDS.items():
        (folder / name).mkdir()
        for file in files:
            write_audio(folder / name / f"{file}.flac", noise(zlib.crc32(file.encode()), 2.0))
    return folder


def clip(seed: int, split: str, voice: str, kind: str = "positive") -> Clip:
    return Clip(text="beep", kind=kind, split=split, voice=voice, speed=1.1, samples=word(seed))


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [
        clip(1, "train", "kokoro:af_bella+bm_george@0.40"), clip(2, "train", "piper:joe"),
        clip(3, "validation", "kokoro:af_sky"), clip(4, "validation", "kokoro:bm_lewis"),
        clip(5, "test", "kokoro:pm_alex"), clip(6, "test", "kokoro:pm_alex"), clip(7, "test", "espeak:en-us+m1"),
        *(replace(clip(8, "test", "kokoro:hf_beta", "near-miss"), text=text) for text in ("weep", "/bˈoʊt/")),
        replace(clip(9, "test", "kokoro:hf_beta", "containing"), text="beeper"),
        replace(clip(10, "test", "espeak:en-us+m1", "near-miss"), text="deep"),
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("bank")
    write_bank(folder, Bank(word="beep", clips=tuple(clips)), ".ogg")
    return folder


@pytest.fixture
def asked(tmp_path: Path, sound: Path, bank: Path) -> argparse.Namespace:
    return argparse.Namespace(
        out=tmp_path / "sets", sound=[sound], bank=bank, people=[], seed=1, draws=2, open_view_glass=False
    )


@pytest.fixture
def noises(sound: Path) -> Noises:
    return Noises(sorted((sound / "speech_en").iterdir()), sorted((sound / "music").iterdir()))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("fotaq_09.ogg", "train"), ("fotaq_10.ogg", "validation"), ("fotaq_16.ogg", "validation"),
        ("fotaq_17.ogg", "test"), ("fotaq_23.ogg", "test"), ("tuxpaint-stamps_05.ogg", "train"),
        ("tuxpaint-stamps_06.ogg", "validation"), ("fx-tuxpaint-stamps_00.ogg", "validation"),
        ("asterisk-ru_01.ogg", "test"), ("festvox-ru_03.ogg", "train"), ("fillets-cs_04.ogg", "test"),
        ("music-hyperrogue_01.ogg", "train"), ("fx-colobot_02.ogg", "train"), ("tuxpaint-rest_09.flac", "train"),
        ("klettres-en-gb_00.flac", "validation"), ("asterisk-es-co_00.flac", "validation"),
        ("fillets-cs-rest_00.flac", "test"),
    ],
)  # fmt: skip
def test_a_sound_belongs_to_the_split_of_its_name(sets: Any, name: str, split: str) -> None:
    assert sets.split_of(name) == split


@pytest.mark.parametrize("name", ["fotaq_24.ogg", "stranger_00.ogg", "fotaq.ogg", "tuxpaint-stamps_08.ogg"])
def test_a_sound_of_no_split_is_refused(sets: Any, name: str) -> None:
    with pytest.raises(Failure, match="belongs to no split"):
        sets.split_of(name)


def test_the_same_sound_in_two_splits_is_refused(
    sets: Any, sound: Path, asked: argparse.Namespace, tmp_path: Path
) -> None:
    copied = tmp_path / "sound"
    for file in sound.rglob("*.flac"):
        (copied / file.parent.name).mkdir(parents=True, exist_ok=True)
        (copied / file.parent.name / file.name).write_bytes(file.read_bytes())
    (copied / "speech_en" / "fotaq_01.flac").write_bytes((sound / "speech_other" / "asterisk-ru_00.flac").read_bytes())
    asked.sound = [copied]
    with pytest.raises(Failure, match=r"(?s)fotaq_01.*asterisk-ru_00.*the same sound"):
        sets.build(asked)


@pytest.mark.parametrize(
    "strayed",
    [
        clip(1, "test", "kokoro:af_bella"), clip(1, "validation", "kokoro:af_sky+af_bella@0.40"),
        clip(1, "train", "espeak:en-us+m1"), clip(1, "validation", "espeak:en-us+m2"), clip(1, "test", "piper:joe"),
        clip(1, "test", "kokoro:af_bella~"),
    ],
)  # fmt: skip
def test_a_voice_in_another_split_is_refused(sets: Any, strayed: Clip) -> None:
    with pytest.raises(Failure, match="does not belong"):
        sets.check_voices(Bank(word="beep", clips=(strayed,)))


def test_another_mouth_belongs_to_its_parents_split_and_any_piper_voice_trains(sets: Any) -> None:
    voices = ("kokoro:af_bella~", "espeak:en-us+m2~", "piper:somebody", "kokoro:af_bella+am_adam@0.40~")
    sets.check_voices(Bank(word="beep", clips=tuple(clip(1, "train", voice) for voice in voices)))


def test_sound_is_linked_where_it_lies_and_into_one_split_only(
    sets: Any, sound: Path, asked: argparse.Namespace
) -> None:
    asked.bank = None
    (asked.out / "train" / "negatives" / "music").mkdir(parents=True)
    (asked.out / "train" / "negatives" / "music" / "music-gone_00.ogg").symlink_to(sound / "gone.ogg")
    sets.build(asked)
    links = [path for path in asked.out.rglob("*") if path.is_symlink()]
    assert sorted(link.readlink() for link in links) == sorted(file.resolve() for file in sound.rglob("*.flac"))
    assert len(list((asked.out / "test" / "negatives" / "speech_en").iterdir())) == 6


def test_the_sets_hold_each_voice_in_each_condition(sets: Any, asked: argparse.Namespace) -> None:
    sets.build(asked)
    voices = {}
    for folder in sorted(path.parent for path in asked.out.rglob(MANIFEST)):
        if folder.name == "alike":
            continue
        recordings = read_manifest(folder)
        voices[folder.relative_to(asked.out).as_posix()] = sorted(
            {recording.about["voice"] for recording in recordings}
        )
        assert {recording.about["condition"] for recording in recordings} == {folder.name}
        assert {event.word for recording in recordings for event in recording.events} == {"beep"}
        assert len(recordings) == (
            1 if "espeak" in str(folder) else 2 * len(voices[folder.relative_to(asked.out).as_posix()])
        )
    assert voices == {
        f"{split}/{name}/{condition}": those
        for condition in CONDITIONS
        for split, name, those in (
            ("validation", "positives", ["kokoro:af_sky", "kokoro:bm_lewis"]),
            ("test", "positives", ["kokoro:pm_alex"]),
            ("test", "positives_espeak", ["espeak:m1"]),
        )
    }


def test_what_sounds_like_the_word_is_tried_once_in_test_voices(sets: Any, asked: argparse.Namespace) -> None:
    sets.build(asked)
    assert [path.parts[-4] for path in asked.out.rglob(f"alike/{MANIFEST}")] == ["test"]
    recordings = read_manifest(asked.out / "test" / "positives" / "alike")
    assert [(found.events[0].word, found.events[0].kind, found.about.get("phones_apart")) for found in recordings] == [
        ("weep", "near-miss", 1), ("/bˈoʊt/", "near-miss", 2), ("beeper", "containing", None),
    ]  # fmt: skip
    assert {found.about["voice"] for found in recordings} == {"kokoro:hf_beta"}


def test_every_event_lies_where_the_word_is_audible(sets: Any, asked: argparse.Namespace) -> None:
    sets.build(asked)
    for recording in read_manifest(asked.out / "test" / "positives" / "clean"):
        samples, event = read_audio(recording.audio), recording.events[0]
        start, end = (round(edge * RATE_HZ) for edge in (event.start, event.end))
        assert rms(samples[start:end]) > 10 * rms(samples[: max(1, start - 160)])
        assert decibels(active_rms(samples[start:end])) == pytest.approx(recording.about["level_db"], abs=0.3)


def test_an_interrupted_build_goes_on_and_ends_the_same(
    sets: Any, asked: argparse.Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets.build(asked)
    whole = {path.relative_to(asked.out): path.read_bytes() for path in asked.out.rglob("*") if path.is_file()}
    asked.out = tmp_path / "again"
    written: list[Path] = []
    rest: list[Path] = []

    def stop_at_the_fourth(path: Path, samples: Samples) -> None:
        if len(written) == 3:
            with (path.parent.parent / f".{MANIFEST}.part").open("a") as manifest:
                manifest.write('{"audio": "half a li')
            raise KeyboardInterrupt
        written.append(path)
        write_audio(path, samples)

    def noted(path: Path, samples: Samples) -> None:
        rest.append(path)
        write_audio(path, samples)

    monkeypatch.setattr("synth.trials.write_audio", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        sets.build(asked)
    assert not list(asked.out.rglob(MANIFEST)), "no dataset is whole yet"
    monkeypatch.setattr("synth.trials.write_audio", noted)
    sets.build(asked)
    assert not set(rest) & set(written)
    assert {path.relative_to(asked.out): path.read_bytes() for path in asked.out.rglob("*") if path.is_file()} == whole
    rest.clear()
    sets.build(asked)
    assert not rest, "what is whole is left alone"
    asked.seed = 2
    sets.build(asked)
    assert len(rest) == 31, "another seed makes other sets"


def test_a_folder_of_somebody_elses_is_left_alone(sets: Any, asked: argparse.Namespace) -> None:
    theirs = asked.out / "test" / "positives" / "far" / "theirs.wav"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("precious")
    with pytest.raises(Failure, match="did not write"):
        sets.build(asked)
    assert theirs.read_text() == "precious"


def test_people_keep_their_level_and_need_leave_where_reserved(
    sets: Any, asked: argparse.Namespace, tmp_path: Path
) -> None:
    for name in ("smart_mirror", "view_glass"):
        (tmp_path / name).mkdir()
        write_audio(tmp_path / name / "one.flac", word(9))
    asked.bank, asked.people = None, [tmp_path / "smart_mirror", tmp_path / "view_glass"]
    with pytest.raises(Failure, match="--open-view-glass"):
        sets.build(asked)
    assert not asked.out.exists()
    asked.people.pop()
    sets.build(asked)
    folder = asked.out / "people" / "smart_mirror"
    assert sorted(path.name for path in folder.iterdir()) == sorted(CONDITIONS)
    clean = read_manifest(folder / "clean")[0]
    assert np.allclose(read_audio(clean.audio), read_audio(tmp_path / "smart_mirror" / "one.flac"), atol=1e-4)
    assert clean.events[0].word == "smart mirror"
    levels = [read_manifest(folder / condition)[0].about["level_db"] for condition in CONDITIONS]
    assert max(levels) - min(levels) <= 0.1


@pytest.mark.parametrize("condition", ["babble_10db", "music_5db", "far"])
def test_the_snr_is_the_stated_one_across_the_word(condition: str, noises: Noises) -> None:
    setting = draw_setting(condition, noises, np.random.default_rng(3), level_db=-30)
    mixed = apply(setting, word(1), noises)
    silent = apply(replace(setting, snr_db=200), word(1), noises)
    across = slice(round(mixed.start * RATE_HZ), round(mixed.end * RATE_HZ))
    noise_db = decibels(rms((mixed.samples - silent.samples)[across]))
    assert decibels(active_rms(silent.samples[across])) == pytest.approx(-30, abs=0.01)
    assert -30 - noise_db == pytest.approx(CONDITIONS[condition][1], abs=0.05)
    assert mixed.start == pytest.approx(1.5 + word_edges(word(1))[0])


def test_a_setting_applied_twice_gives_the_same_samples(noises: Noises) -> None:
    for condition in CONDITIONS:
        setting = draw_setting(condition, noises, np.random.default_rng(4), level_db=-20)
        assert setting == draw_setting(condition, noises, np.random.default_rng(4), level_db=-20)
        assert np.array_equal(apply(setting, word(1), noises).samples, apply(setting, word(1), noises).samples)


def test_far_is_three_metres_in_a_reverberant_room(noises: Noises) -> None:
    rooms = [draw_setting("far", noises, np.random.default_rng(seed), rooms=False).room for seed in range(20)]
    for room in rooms:
        assert room
        assert room.distance_m == pytest.approx(3.0)
        assert FAR_RT60_S[0] <= room.rt60_s <= FAR_RT60_S[1]


def test_babble_is_six_talkers(noises: Noises) -> None:
    pieces = draw_setting("babble_10db", noises, np.random.default_rng(1)).pieces
    assert len({index for index, _ in pieces}) == 6


def test_too_loud_a_word_is_lowered_rather_than_clipped(noises: Noises) -> None:
    quiet = Setting(condition="clean", noise="none", snr_db=None, level_db=-3.0, room=None)
    found = apply(quiet, word(1), noises)
    assert np.abs(found.samples).max() == pytest.approx(0.99)
    assert found.level_db < -3
    assert decibels(active_rms(found.samples)) == pytest.approx(found.level_db, abs=0.01)


def test_noise_is_taken_from_where_it_sounds(tmp_path: Path) -> None:
    write_audio(tmp_path / "gap.wav", np.concatenate((np.zeros(3 * RATE_HZ, np.float32), noise(1))))
    write_audio(tmp_path / "silent.wav", np.zeros(RATE_HZ, np.float32))
    files = Noises([tmp_path / "silent.wav"] * 6, [tmp_path / "gap.wav"])
    assert rms(files.music[0].excerpt(0.0, RATE_HZ, slice(0, 8000))) > 0.05
    with pytest.raises(Failure, match="silent"):
        files.speech[0].excerpt(0.0, RATE_HZ, slice(0, 8000))


def test_too_little_sound_for_babble_is_said(sound: Path) -> None:
    with pytest.raises(Failure, match="babble needs 6"):
        Noises(list((sound / "speech_en").iterdir())[:5], [])


def test_a_faster_clip_is_shorter_by_its_tempo() -> None:
    assert len(stretch(noise(1, 1.0), 1.15)) == pytest.approx(RATE_HZ / 1.15, abs=2)


@pytest.mark.parametrize(("trouble", "code"), [(Failure("no bank"), "build_sets: no bank"), (KeyboardInterrupt(), 130)])
def test_the_script_ends_in_one_sentence(
    sets: Any, trouble: BaseException, code: str | int, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise trouble

    monkeypatch.setattr(sets, "build", fail)
    monkeypatch.setattr(sys, "argv", ["build_sets", str(tmp_path), "--sound", str(sound)])
    with pytest.raises(SystemExit) as ended:
        sets.main()
    assert ended.value.code == code
