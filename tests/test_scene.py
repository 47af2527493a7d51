"""Scenes as values: what is drawn is what the ranges ask for, in every preset, and all of it is told."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

from synth.scene import PRESETS, Cast, Ranges, Scene, draw_scene

CAST = Cast(
    positive=(0, 1), own=(2,), negative=((3,), (4,)), sentences=(5,), seconds=(0.7, 0.7, 0.7, 0.5, 0.6, 2.0),
    kinds=("positive",) * 3 + ("near-miss", "negative", "sentence"), texts=("go",) * 3 + ("no", "kettle", "long one"),
)  # fmt: skip
RECORDED = replace(CAST, talk=((0, 1),), music=(2,), effects=(3,))
SPOKEN = Ranges(recorded=0, wordless=0)


@functools.cache
def drawn(ranges: Ranges, cast: Cast = CAST, count: int = 1000) -> list[Scene]:
    return [draw_scene(np.random.default_rng([1, number]), cast, ranges) for number in range(count)]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("cast", [CAST, RECORDED], ids=["made", "recorded"])
def test_every_preset_draws_within_its_ranges(name: str, cast: Cast) -> None:
    ranges = PRESETS[name]
    for scene in drawn(ranges, cast, 200):
        assert ranges.level_db[0] <= scene.level_db <= ranges.level_db[1]
        assert len(scene.noises) < len(ranges.noises) + 1
        if scene.room:
            assert ranges.distance_m[0] - 1e-9 <= scene.room.distance_m <= ranges.distance_m[1] + 1e-9
            assert ranges.rt60_s[0] <= scene.room.rt60_s <= ranges.rt60_s[1]
        if scene.words:
            lowest = min((noise.snr_db for noise in scene.noises), default=ranges.snr_db[0])
            assert ranges.snr_db[0] <= lowest <= ranges.snr_db[1]
        assert all(noise.place_m is None or scene.room for noise in scene.noises)
        json.dumps(scene.about())


def test_presets_grow_harder() -> None:
    quiet, home, hard = (drawn(PRESETS[name], count=300) for name in ("quiet", "home", "hard"))

    def loudest(scenes: list[Scene]) -> float:
        return float(np.median([scene.noises[0].snr_db for scene in scenes if scene.words and scene.noises]))

    def noises(scenes: list[Scene]) -> float:
        return float(np.mean([len(scene.noises) for scene in scenes]))

    assert loudest(quiet) > loudest(home) > loudest(hard)
    assert noises(quiet) < noises(home) < noises(hard)


def test_home_spans_more_than_forty_decibels_of_level() -> None:
    levels = [scene.level_db for scene in drawn(PRESETS["home"])]
    assert np.percentile(levels, 99) - np.percentile(levels, 1) > 40


def test_every_kind_of_noise_comes_as_often_as_asked() -> None:
    kinds = [noise.kind for scene in drawn(SPOKEN, RECORDED) for noise in scene.noises]
    for kind, chance in SPOKEN.noise:
        assert kinds.count(kind) / len(kinds) == pytest.approx(chance, abs=0.04)


def test_as_many_noises_at_once_as_asked() -> None:
    ungated = replace(SPOKEN, device=replace(SPOKEN.device, gated=0))
    counts = [len(scene.noises) for scene in drawn(ungated)]
    for number, chance in enumerate(ungated.noises):
        assert counts.count(number) / len(counts) == pytest.approx(chance, abs=0.04)


def test_behind_a_gate_there_is_no_noise() -> None:
    scenes = drawn(SPOKEN)
    assert any(scene.device.gate_db for scene in scenes)
    assert all(not scene.noises for scene in scenes if scene.device.gate_db)


def test_own_recordings_are_as_many_of_the_positives_as_asked() -> None:
    words = [word for scene in drawn(SPOKEN) for word in scene.words if word.kind == "positive"]
    assert np.mean([word.clip in CAST.own for word in words]) == pytest.approx(SPOKEN.own, abs=0.03)
    alone = [word for scene in drawn(SPOKEN, replace(CAST, positive=()), 100) for word in scene.words]
    assert {word.clip for word in alone if word.kind == "positive"} == set(CAST.own)
    without = [word for scene in drawn(SPOKEN, replace(CAST, own=()), 100) for word in scene.words]
    assert not {word.clip for word in without} & set(CAST.own)


def test_negatives_are_made_of_the_word_as_often_as_asked() -> None:
    """Of those that are neither positives nor sentences: parts and swaps, all near-misses."""
    words = [word for scene in drawn(SPOKEN) for word in scene.words if word.kind not in {"positive", "sentence"}]
    parts = [word for word in words if len(word.pieces) == 1 and word.pieces != ((0.0, 1.0),)]
    swapped = [word for word in words if len(word.pieces) == 2]
    for made, share in ((parts, SPOKEN.partial), (swapped, SPOKEN.swapped)):
        assert len(made) / len(words) == pytest.approx(share, abs=0.02)
        assert all(word.kind == "near-miss" and CAST.kinds[word.clip] == "positive" for word in made)
    assert all(word.pieces[0][0] == word.pieces[1][1] for word in swapped)


def test_words_never_overlap() -> None:
    for scene in drawn(SPOKEN, count=400):
        for sooner, later in zip(scene.words, scene.words[1:], strict=False):
            spoken = sum(end - start for start, end in sooner.pieces) * CAST.seconds[sooner.clip] / sooner.pace
            assert sooner.at_s + spoken <= later.at_s + 1e-9


def test_scenes_without_the_word_are_recorded_or_else_made() -> None:
    recorded = drawn(PRESETS["home"], RECORDED)
    share = PRESETS["home"].recorded
    assert np.mean([scene.recorded is not None for scene in recorded]) == pytest.approx(share, abs=0.04)
    assert all(not scene.words for scene in recorded if scene.recorded)
    made = [scene for scene in drawn(PRESETS["home"]) if scene.about()["holds"] == "wordless"]
    assert len(made) / 1000 == pytest.approx(PRESETS["home"].wordless, abs=0.04)
    assert {scene.noises[0].kind for scene in made} == {"talk", "television", "babble", "music"}
    assert all(scene.noises[0].snr_db == 0 for scene in made)


def test_what_is_recorded_is_used_where_it_belongs() -> None:
    files = {"babble": (0, 1), "talk": (0, 1), "television": (0, 1),
             "music": RECORDED.music, "effects": RECORDED.effects}  # fmt: skip
    seen = set()
    for noise in (noise for scene in drawn(SPOKEN, RECORDED, 500) for noise in scene.noises):
        assert {number for number, _ in noise.excerpts} <= set(files.get(noise.kind, ()))
        assert noise.music is None or noise.music[0] in RECORDED.music
        seen |= {noise.kind} if noise.excerpts else set()
    assert seen == set(files)


def test_a_folder_of_four_times_as_much_talk_is_drawn_twice_as_often() -> None:
    cast = replace(CAST, talk=((0,), (1, 2, 3, 4)), music=(5,))
    ranges = replace(Ranges(), recorded=1.0)
    drawn = [draw_scene(np.random.default_rng(seed), cast, ranges).recorded for seed in range(1200)]
    files = [excerpt[0] for excerpt in drawn if excerpt]
    assert len(files) == 1200
    assert np.mean([file == 5 for file in files]) == pytest.approx(1 / 6, abs=0.04)
    assert np.mean([file == 0 for file in files if file < 5]) == pytest.approx(1 / 3, abs=0.05)


def test_a_manifest_tells_level_noises_room_and_device() -> None:
    scene = next(scene for scene in drawn(SPOKEN) if scene.room and len(scene.noises) > 1 and scene.noises[0].place_m)
    about = scene.about()
    assert set(about) == {"holds", "level_db", "distance_m", "rt60_s", "noises", "device"}
    assert [noise["snr_db"] for noise in about["noises"]] == [round(noise.snr_db, 1) for noise in scene.noises]
    assert set(about["noises"][0]) == {"kind", "snr_db", "recorded", "distance_m"}
