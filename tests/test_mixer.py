"""Scenes mixed many at once are those that are mixed one by one, and their frames too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bank import small_bank

from kws.audio import write_audio
from kws.cli.clips import SceneClips
from kws.cli.kitchen import Kitchen
from kws.config import FrontEnd
from kws.errors import Failure
from kws.ranks import Parted, Ranks
from kws.recipe import Recipe
from kws.torch_front_end import TorchLogMel
from synth.devices import HOME
from synth.generate import drawn
from synth.mixer import Mixer, active_rms, collated
from synth.parts import parts_of
from synth.recorded import Recordings
from synth.scene import PRESETS, Ranges
from synth.stage import Stage

DEVICES = [
    torch.device("cpu"),
    pytest.param(
        torch.device("cuda"), marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
    ),
]  # fmt: skip
BUSY = replace(
    HOME, no_floor=0.3, band_limited=0.5, overloaded=0.3, levelled=0.5, gated=0.3, telephone=0.3, offset=0.5,
    coded=(("mp3", 0.1),),
)  # fmt: skip
"""Devices that do something to nearly every scene."""


def stage(ranges: Ranges, recordings: Recordings | None = None) -> Stage:
    return Stage("activate", [small_bank()], ranges=ranges, recordings=recordings)


@pytest.fixture
def recordings(tmp_path: Path, draw: np.random.Generator) -> Recordings:
    for name in ("speech", "music", "effects"):
        (tmp_path / name).mkdir()
        write_audio(tmp_path / name / "a.flac", draw.normal(0, 0.1, 16000 * 7).astype(np.float32))
    return Recordings(tmp_path)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "ranges", [replace(PRESETS["home"], duration_s=4.0), replace(PRESETS["hard"], duration_s=3.01, device=BUSY)]
)
@pytest.mark.parametrize("recorded", [False, True])
def test_a_mixed_scene_is_the_rendered_one(
    device: torch.device, ranges: Ranges, recorded: bool, recordings: Recordings
) -> None:
    made = stage(ranges, recordings if recorded else None)
    scenes = [drawn(made, 5, number) for number in range(24)]
    takes = [made.render(scene) for scene in scenes]
    parts = [parts_of(made, scene) for scene in scenes]
    assert [each.events for each in parts] == [take.events for take in takes]
    mixed = Mixer(device)(collated(parts)).cpu().numpy()
    wrong = [
        np.sqrt(np.mean((ours - take.samples) ** 2) / np.mean(take.samples**2))
        for ours, take in zip(mixed, takes, strict=True)
    ]
    assert max(wrong) < 3e-3, "of mu-law a rounding may fall to the other side"
    assert np.median(wrong) < 1e-5


def test_scenes_without_any_noise_or_room_are_mixed_too() -> None:
    made = stage(Ranges(duration_s=3.0, noises=(1.0,), no_room=1.0, wordless=0.0))
    scene = drawn(made, 0, 0)
    (mixed,) = Mixer(torch.device("cpu"))(collated([parts_of(made, scene)])).numpy()
    np.testing.assert_allclose(mixed, made.render(scene).samples, atol=1e-5)


def test_what_is_longer_than_the_table_of_noise_is_rendered_whole() -> None:
    made = stage(Ranges(duration_s=140.0, noises=(0.0, 1.0), noise=(("coloured", 1.0),)))
    scene = drawn(made, 0, 0)
    parts = parts_of(made, scene)
    assert parts.device is None
    np.testing.assert_array_equal(Mixer(torch.device("cpu"))(collated([parts]))[0].numpy(), made.render(scene).samples)


def test_the_level_of_speech_is_that_of_its_loud_frames(draw: np.random.Generator) -> None:
    from kws.audio import active_rms as plain

    sound = (draw.normal(0, 1, (3, 16000)) * np.repeat(draw.uniform(0, 1, (3, 100)) ** 6, 160, axis=1)).astype("f4")
    spans = np.array([[0, 16000], [3210, 9999], [15000, 15159]])
    expected = [plain(row[first:last]) for row, (first, last) in zip(sound, spans, strict=True)]
    found = active_rms(torch.from_numpy(sound), torch.from_numpy(spans))
    np.testing.assert_allclose(found[:2].numpy(), expected[:2], rtol=1e-5)
    assert float(found[2]) > 0


def test_on_a_gpu_nothing_of_a_batch_stays_behind_nor_is_waited_for() -> None:
    """On torch's meta device, as on a GPU, nothing may hang on a value, and no two devices meet."""
    meta, made = torch.device("meta"), stage(replace(PRESETS["hard"], duration_s=3.0, device=BUSY))
    sound = Mixer(meta)(collated([parts_of(made, drawn(made, 5, number)) for number in range(6)]))
    frames = TorchLogMel(FrontEnd()).to(meta)(sound)
    assert frames.device == meta
    assert frames.shape == (6, FrontEnd().frames(48000), FrontEnd().bands)


@pytest.mark.parametrize("workers", [0, 1])
def test_frames_of_mixed_scenes_are_those_of_rendered_ones(workers: int) -> None:
    ranges = replace(PRESETS["home"], duration_s=3.0)
    clips = SceneClips(stage=stage(ranges), seed=3)
    kitchen = Kitchen(clips=clips, recipe=Recipe(front_end=FrontEnd()), workers=workers, batch=4)
    plain = [heard for batch in kitchen.serve(2, 6) for heard in batch]
    mixed = [heard for batch in kitchen.mixed(clips.parts, 2, 6) for heard in batch]
    assert len(plain) == len(mixed) == 6
    for (frames, rows), (ours, our_rows) in zip(plain, mixed, strict=True):
        np.testing.assert_array_equal(rows, our_rows)
        assert ours.dtype == np.float16
        assert np.abs(ours.astype(np.float32) - frames).max() < 0.05, "half precision, to 2^-7 at 16"
        assert np.abs(ours.astype(np.float32) - frames).mean() < 1e-3


def test_a_gpu_mixes_scenes_of_one_rank_and_of_several_but_no_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    from kws.means import Means

    asked: list[object] = []

    def mixed(_kitchen: Kitchen, parts: object, first: int, count: int):
        asked.append((parts(first), count))  # type: ignore[operator]
        return iter(())

    monkeypatch.setattr(Kitchen, "mixed", mixed)
    scenes = SceneClips(stage=stage(replace(PRESETS["quiet"], duration_s=3.0)), seed=3)
    gpu = Means(device="cuda:0", mixed=True)
    for clips in (scenes, Parted(scenes, Ranks(rank=1, count=2))):
        list(Kitchen(clips=clips, recipe=Recipe(), workers=0, means=gpu).serve(2, 6))
    ((one, six), (other, _)) = asked
    assert six == 6
    np.testing.assert_array_equal(one.dry, scenes.parts(2).dry)
    np.testing.assert_array_equal(other.dry, scenes.parts(5).dry)
    plain = Kitchen(clips=scenes.__call__, recipe=Recipe(), workers=0, batch=1, means=Means())
    assert len(list(plain.serve(0, 1))) == 1
    assert len(asked) == 2


def test_a_failure_in_a_worker_is_told_as_it_is() -> None:
    def refused(_number: int) -> object:
        raise Failure("a.flac can no longer be read: is it still there?")

    kitchen = Kitchen(clips=refused, recipe=Recipe(), workers=0, batch=2)  # type: ignore[arg-type]
    with pytest.raises(Failure, match=r"^a\.flac can no longer be read"):
        list(kitchen.mixed(refused, 0, 4))  # type: ignore[arg-type]
