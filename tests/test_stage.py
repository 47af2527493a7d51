"""Scenes: the same value gives the same sound, words keep apart, and every event lies where its word is audible."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_bank import small_bank, tone_word

from kws.audio import RATE_HZ, active_rms, decibels, rms, write_audio
from kws.errors import Failure
from synth.scene import Microphone, Noise, Ranges, Scene, Word
from synth.stage import Stage

CLEAN = Microphone(level_db=-20, floor_db=-90, tilt_db=0, cut_hz=8000, seed=1)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage("activate", [small_bank()])


def test_a_scene_rendered_twice_is_identical(stage: Stage) -> None:
    for number in range(8):
        scene = stage.draw(np.random.default_rng([5, number]))
        first, second = stage.render(scene), stage.render(scene)
        assert np.array_equal(first.samples, second.samples)
        assert first.events == second.events


def test_the_same_generator_draws_the_same_scene(stage: Stage) -> None:
    assert stage.draw(np.random.default_rng(3)) == stage.draw(np.random.default_rng(3))
    assert stage.draw(np.random.default_rng(3)) != stage.draw(np.random.default_rng(4))


def test_words_do_not_overlap_and_end_inside_the_scene(stage: Stage) -> None:
    for number in range(60):
        take = stage.render(stage.draw(np.random.default_rng([6, number])))
        for sooner, later in zip(take.events, take.events[1:], strict=False):
            assert sooner.end <= later.start + 1e-6
        assert all(0 <= event.start < event.end <= 10 for event in take.events)


def test_every_event_lies_where_its_word_is_audible(stage: Stage) -> None:
    """Without room or noise, nearly all energy lies inside the events, and each of them is loud."""
    ranges = Ranges(
        no_room=1, quiet=1, floor_db=(-120, -119), tilt_db=(0, 0), band_limited=0, tight=0, level_db=(-40, -30)
    )
    clean = Stage("activate", [small_bank()], ranges=ranges)
    seen = 0
    for number in range(12):
        take = clean.render(clean.draw(np.random.default_rng([7, number])))
        inside = np.zeros(len(take.samples), bool)
        for event in take.events:
            span = slice(round(event.start * RATE_HZ), round(event.end * RATE_HZ))
            inside[span] = True
            assert decibels(rms(take.samples[span])) > -60
            seen += 1
        if take.events:
            energy = np.square(take.samples, dtype=np.float64)
            assert energy[inside].sum() > 0.98 * energy.sum()
    assert seen > 20


def test_the_snr_is_the_one_asked_for(stage: Stage) -> None:
    word = Word(clip=0, kind="positive", text="activate", at_s=2.0, pace=1.0, gain_db=0.0)
    quiet = Scene(duration_s=6, microphone=CLEAN, words=(word,))
    for snr_db in (0.0, 10.0, 20.0):
        noisy = replace(quiet, noise=Noise(kind="coloured", snr_db=snr_db, colour=-1.0, seed=4))
        speech, mixed = stage.render(quiet), stage.render(noisy)
        event = speech.events[0]
        span = slice(round(event.start * RATE_HZ), round(event.end * RATE_HZ))
        noise = mixed.samples - speech.samples
        measured = decibels(active_rms(speech.samples[span]) / rms(noise[span]))
        assert measured == pytest.approx(snr_db, abs=1.0)


def test_the_level_is_the_one_asked_for(stage: Stage) -> None:
    word = Word(clip=0, kind="positive", text="activate", at_s=2.0, pace=1.0, gain_db=0.0)
    take = stage.render(Scene(duration_s=6, microphone=CLEAN, words=(word,)))
    assert decibels(active_rms(take.samples)) == pytest.approx(-20, abs=1.5)


def test_what_contains_the_word_is_no_plain_negative(stage: Stage) -> None:
    kinds = dict(zip(stage.cast.texts, stage.cast.kinds, strict=True))
    assert kinds == {
        "activate": "positive", "active": "near-miss", "kettle": "negative", "a long sentence": "sentence",
        "activated": "containing",
    }  # fmt: skip


def test_another_words_positives_are_negatives_here() -> None:
    both = Stage("lantern", [small_bank("lantern"), small_bank("activate")])
    kinds = dict(zip(both.cast.texts, both.cast.kinds, strict=True))
    assert kinds["activate"] == "negative"
    assert kinds["lantern"] == "positive"


def test_voices_of_one_split_never_reach_another() -> None:
    for split in ("train", "validation", "test"):
        stage = Stage("activate", [small_bank()], split=split)
        assert {clip.split for clip in stage._clips} == {split}


def test_a_part_of_the_word_is_a_near_miss_and_shorter(stage: Stage) -> None:
    whole = Word(clip=0, kind="positive", text="activate", at_s=1.0, pace=1.0, gain_db=0.0)
    part = replace(whole, kind="near-miss", text="part of activate", part=(0.0, 0.5))
    events = [stage.render(Scene(duration_s=4, microphone=CLEAN, words=(word,))).events[0] for word in (whole, part)]
    assert events[1].end - events[1].start == pytest.approx(0.5 * (events[0].end - events[0].start), abs=0.03)


def test_recorded_negatives_and_own_positives_come_in(tmp_path: Path) -> None:
    for folder in ("talk/speech_x", "talk/music", "own"):
        (tmp_path / folder).mkdir(parents=True)
        write_audio(tmp_path / folder / "a.flac", np.tile(tone_word(200, 0.6, 2.0), 30))
    (tmp_path / "own" / "a.flac").unlink()
    write_audio(tmp_path / "own" / "me.wav", tone_word(300, 0.6, 2.0))
    stage = Stage("activate", [small_bank()], positives=tmp_path / "own", negatives=tmp_path / "talk")
    assert (stage.recordings.talk_files, stage.recordings.sound_files) == (1, 1)
    assert len(stage.cast.positive) == 5
    scenes = [stage.draw(np.random.default_rng(number)) for number in range(60)]
    recorded = [scene for scene in scenes if scene.recorded]
    assert recorded and all(not scene.words for scene in recorded)
    assert any(scene.noise and scene.noise.excerpt for scene in scenes)
    for scene in recorded[:3]:
        assert rms(stage.render(scene).samples) > 1e-4


def test_a_stage_survives_pickling(stage: Stage) -> None:
    scene = stage.draw(np.random.default_rng(8))
    copied = pickle.loads(pickle.dumps(stage))
    assert np.array_equal(copied.render(scene).samples, stage.render(scene).samples)
    assert copied.fingerprint == stage.fingerprint


def test_a_word_nobody_says_is_refused_with_the_remedy() -> None:
    with pytest.raises(Failure, match="scripts/build_bank"):
        Stage("bananas", [small_bank()])


def test_a_folder_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="holds no sound files"):
        Stage("activate", [small_bank()], negatives=tmp_path)
