"""Rendering: the same scene gives the same sound, what is asked is got, and events lie where words are heard."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from small_bank import small_bank, tone_word

from kws.audio import RATE_HZ, active_rms, decibels, frame_levels, rms, word_edges, write_audio
from kws.errors import Failure
from synth.bank import Clip
from synth.devices import NEUTRAL, Device
from synth.recorded import Recordings
from synth.rooms import draw_room
from synth.scene import PRESETS, Noise, NoiseKind, Ranges, Scene, Word
from synth.stage import Stage

GO = Word(clip=0, kind="positive", text="activate", at_s=2.0, pace=1.0, gain_db=0.0)
QUIET = Scene(duration_s=6.0, level_db=-30.0, device=Device(), words=(GO,))
MADE = [
    Noise(kind="coloured", snr_db=0, seed=4, colour=-1.0),
    Noise(kind="hum", snr_db=0, seed=5, mains_hz=60),
    Noise(kind="babble", snr_db=0, seed=6, talkers=((3,), (3,), (8,))),
    Noise(kind="talk", snr_db=0, seed=7, talkers=((3, 8),)),
    Noise(kind="television", snr_db=0, seed=8, talkers=((3,),), under_db=10),
    Noise(kind="music", snr_db=0, seed=9),
]  # fmt: skip


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage("activate", [small_bank()])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    place = tmp_path_factory.mktemp("recorded")
    for number, folder in enumerate(("speech_x", "music_y", "effects")):
        (place / folder).mkdir()
        write_audio(place / folder / "a.flac", np.tile(tone_word(200 + 100 * number, 0.6, 2.0), 30))
    return Recordings(place)


def noise_in(stage: Stage, scene: Scene) -> np.ndarray:
    """What the noises of a scene add to it."""
    return stage.render(scene).samples - stage.render(replace(scene, noises=())).samples


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("with_recordings", [False, True])
def test_a_scene_rendered_twice_is_identical(preset: str, with_recordings: bool, recordings: Recordings) -> None:
    given = recordings if with_recordings else None
    stage = Stage("activate", [small_bank()], recordings=given, ranges=PRESETS[preset])
    for number in range(3):
        scene = stage.draw(np.random.default_rng([5, number]))
        first, second = stage.render(scene), stage.render(scene)
        assert first.samples.shape == (160_000,) and first.samples.dtype == np.float32
        assert np.isfinite(first.samples).all() and np.abs(first.samples).max() <= 1
        assert np.array_equal(first.samples, second.samples)
        assert first.events == second.events
        assert first.about == scene.about()


def test_the_same_generator_draws_the_same_scene(stage: Stage) -> None:
    assert stage.draw(np.random.default_rng(3)) == stage.draw(np.random.default_rng(3))
    assert stage.draw(np.random.default_rng(3)) != stage.draw(np.random.default_rng(4))


def test_words_do_not_overlap_and_end_inside_the_scene(stage: Stage) -> None:
    for number in range(25):
        take = stage.render(stage.draw(np.random.default_rng([6, number])))
        for sooner, later in zip(take.events, take.events[1:], strict=False):
            assert sooner.end <= later.start + 1e-6
        assert all(0 <= event.start < event.end <= 10 for event in take.events)


def test_every_event_lies_where_its_word_is_audible() -> None:
    """Without room or noise, nearly all energy lies inside the events, and each of them is loud."""
    ranges = Ranges(no_room=1, noises=(1,), tight=0, level_db=(-40, -30), wordless=0, device=NEUTRAL)
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


@pytest.mark.parametrize("preset", PRESETS)
def test_events_have_the_edges_that_are_found_in_the_sound(preset: str) -> None:
    """Through all that devices do to a word but gain control: within 20 ms, or 30 where a codec smears."""
    ranges = replace(PRESETS[preset], no_room=1, noises=(1,), negatives=(0, 0), positives=(0, 1), wordless=0)
    stage = Stage("activate", [small_bank()], ranges=ranges)
    for number in range(25):
        scene = stage.draw(np.random.default_rng([8, number]))
        scene = replace(scene, level_db=-30, device=replace(scene.device, floor_db=None, levelling=None, offset=0.0))
        take = stage.render(scene)
        for event in take.events:
            assert word_edges(take.samples) == pytest.approx(
                (event.start, event.end), abs=0.03 if scene.device.codec else 0.02
            )


@pytest.mark.parametrize("noise", MADE, ids=lambda noise: noise.kind)
@pytest.mark.parametrize("snr_db", [-2.0, 10.0, 25.0])
def test_the_snr_is_the_one_asked_for(stage: Stage, noise: Noise, snr_db: float) -> None:
    speech = stage.render(QUIET)
    event = speech.events[0]
    span = slice(round(event.start * RATE_HZ), round(event.end * RATE_HZ))
    added = noise_in(stage, replace(QUIET, noises=(replace(noise, snr_db=snr_db),)))
    assert decibels(active_rms(speech.samples[span]) / rms(added[span])) == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("kind", ["babble", "talk", "television", "music", "effects"])
def test_the_snr_of_what_is_recorded_is_the_one_asked_for(kind: NoiseKind, recordings: Recordings) -> None:
    stage = Stage("activate", [small_bank()], recordings=recordings)
    number = {"music": 1, "effects": 2}.get(kind, 0)
    noise = Noise(kind=kind, snr_db=8.0, seed=3, excerpts=((number, 0.2),), music=(1, 0.5), under_db=12)
    speech = stage.render(QUIET)
    span = slice(round(speech.events[0].start * RATE_HZ), round(speech.events[0].end * RATE_HZ))
    added = noise_in(stage, replace(QUIET, noises=(noise,)))
    assert decibels(active_rms(speech.samples[span]) / rms(added[span])) == pytest.approx(8.0, abs=0.1)


def test_effects_are_never_louder_than_asked_for_where_the_word_is(stage: Stage) -> None:
    """They may pause there; then their loudness elsewhere counts."""
    speech = stage.render(QUIET)
    span = slice(round(speech.events[0].start * RATE_HZ), round(speech.events[0].end * RATE_HZ))
    heard_there = []
    for seed in range(12):
        added = noise_in(stage, replace(QUIET, noises=(Noise(kind="effects", snr_db=5.0, seed=seed),)))
        heard_there.append(decibels(active_rms(speech.samples[span]) / max(rms(added[span]), 1e-9)))
        assert heard_there[-1] > 4.9
        assert rms(added) > 1e-4
    assert min(heard_there) == pytest.approx(5.0, abs=0.1)


def test_several_noises_add_up(stage: Stage) -> None:
    noises = tuple(replace(noise, snr_db=5.0 + number) for number, noise in enumerate(MADE))
    together = noise_in(stage, replace(QUIET, noises=noises))
    alone = sum(noise_in(stage, replace(QUIET, noises=(noise,))) for noise in noises)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_noise_in_the_room_keeps_its_snr_and_reverberates(stage: Stage) -> None:
    room = draw_room(np.random.default_rng(1), distance_m=(1.0, 1.0), rt60_s=(0.6, 0.6))
    scene = replace(QUIET, room=room)
    speech = stage.render(scene)
    span = slice(round(speech.events[0].start * RATE_HZ), round(speech.events[0].end * RATE_HZ))
    near, far = (
        noise_in(stage, replace(scene, noises=(Noise(kind="effects", snr_db=0, seed=1, place_m=place_m),)))
        for place_m in (None, 4.0)
    )
    near_share, far_share = (float(np.mean(frame_levels(added) > 0.01 * rms(added))) for added in (near, far))
    assert far_share > 1.5 * near_share, "between the effects there is more to hear"
    steady = Noise(kind="coloured", snr_db=6.0, seed=1, place_m=4.0)
    added = noise_in(stage, replace(scene, noises=(steady,)))
    assert decibels(active_rms(speech.samples[span]) / rms(added[span])) == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("level_db", [-55.0, -30.0, -12.0])
def test_the_level_is_the_one_asked_for(stage: Stage, level_db: float) -> None:
    take = stage.render(replace(QUIET, level_db=level_db))
    assert decibels(active_rms(take.samples)) == pytest.approx(level_db, abs=0.5)


@pytest.mark.parametrize("noise", MADE, ids=lambda noise: noise.kind)
def test_without_words_a_noise_is_measured_against_the_scenes_level(stage: Stage, noise: Noise) -> None:
    take = stage.render(replace(QUIET, words=(), noises=(replace(noise, snr_db=6.0),)))
    assert take.events == ()
    assert decibels(rms(take.samples)) == pytest.approx(-36, abs=0.1)


def test_a_recorded_stretch_has_the_level_asked_for(recordings: Recordings) -> None:
    stage = Stage("activate", [small_bank()], recordings=recordings)
    take = stage.render(replace(QUIET, words=(), recorded=(0, 0.3)))
    assert take.events == ()
    assert decibels(active_rms(take.samples)) == pytest.approx(-30, abs=0.1)


def test_the_drawn_levels_are_the_rendered_ones() -> None:
    """As a histogram: level against level over forty decibels, one word to a scene."""
    ranges = Ranges(
        no_room=1, noises=(1,), positives=(0, 1), negatives=(0, 0), word_level_db=(0, 0), wordless=0, device=NEUTRAL
    )
    stage = Stage("activate", [small_bank()], ranges=ranges)
    scenes = [stage.draw(np.random.default_rng([9, number])) for number in range(60)]
    got = [decibels(active_rms(stage.render(scene).samples)) for scene in scenes]
    asked = [scene.level_db for scene in scenes]
    assert max(asked) - min(asked) > 38
    np.testing.assert_allclose(got, asked, atol=0.5)


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


def test_a_part_of_the_word_is_shorter(stage: Stage) -> None:
    part = replace(GO, kind="near-miss", text="part of activate", pieces=((0.0, 0.5),))
    whole, half = (stage.render(replace(QUIET, words=(word,))).events[0] for word in (GO, part))
    assert half.kind == "near-miss"
    assert half.end - half.start == pytest.approx(0.5 * (whole.end - whole.start), abs=0.03)


def test_swapped_parts_come_in_the_other_order(stage: Stage) -> None:
    """The word glides upwards: swapped, its beginning is higher than its end."""
    swapped = replace(GO, kind="near-miss", pieces=((0.5, 1.0), (0.0, 0.5)))

    def crossings(samples: np.ndarray) -> int:
        return int((np.diff(np.signbit(samples)) != 0).sum())

    for word, rises in ((GO, True), (swapped, False)):
        take = stage.render(replace(QUIET, words=(word,)))
        span = take.samples[round(take.events[0].start * RATE_HZ) : round(take.events[0].end * RATE_HZ)]
        first, second = np.array_split(span, 2)
        assert (crossings(second) > crossings(first)) == rises


def test_own_recordings_join_the_split_they_are_for() -> None:
    said = {"text": "activate", "kind": "positive", "voice": "recorded:me", "speed": 1.0}
    mine = [Clip(split=split, samples=tone_word(300, 0.6, 2.0), **said) for split in ("train", "train", "test")]
    stage = Stage("activate", [small_bank()], own=mine)
    assert len(stage.cast.own) == 2
    assert not set(stage.cast.own) & set(stage.cast.positive)
    assert stage.fingerprint != Stage("activate", [small_bank()]).fingerprint
    words = [word for number in range(60) for word in stage.draw(np.random.default_rng(number)).words]
    assert any(word.clip in stage.cast.own and word.kind == "positive" for word in words)


def test_own_recordings_alone_are_enough() -> None:
    mine = [Clip(text="bananas", kind="positive", split="train", voice="recorded:me", speed=1.0,
                 samples=tone_word(300, 0.6, 2.0))]  # fmt: skip
    stage = Stage("bananas", [small_bank()], own=mine)
    take = stage.render(stage.draw(np.random.default_rng(1)))
    assert {event.word for event in take.events if event.kind == "positive"} <= {"bananas"}


def test_recorded_folders_are_told_apart(recordings: Recordings) -> None:
    cast = Stage("activate", [small_bank()], recordings=recordings).cast
    assert (cast.talk, len(cast.music), len(cast.effects)) == (((0,),), 1, 1)
    assert "music_y" in str(recordings.files[cast.music[0]])


def test_a_stage_survives_pickling(stage: Stage) -> None:
    scene = stage.draw(np.random.default_rng(8))
    copied = pickle.loads(pickle.dumps(stage))
    assert np.array_equal(copied.render(scene).samples, stage.render(scene).samples)
    assert copied.fingerprint == stage.fingerprint


def test_a_word_nobody_says_is_refused_with_the_remedy() -> None:
    with pytest.raises(Failure, match="leave --bank out"):
        Stage("bananas", [small_bank()])
