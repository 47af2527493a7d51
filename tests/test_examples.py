"""What batches are drawn from: a ring of clips, and stretches of recordings as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_bank import small_bank

from kws.audio import Samples, write_audio
from kws.cli.clips import SceneClips, of_scenes, recorded
from kws.cli.kitchen import Kitchen
from kws.cli.scenes import Material
from kws.cli.stages import Stages
from kws.errors import Failure
from kws.events import Event
from kws.examples import Examples, Recorded
from kws.recipe import Recipe
from synth.recorded import Recordings
from synth.scene import Ranges
from synth.stage import Stage


def test_the_ring_of_examples_replaces_the_oldest() -> None:
    ring = Examples(3)
    ring.add((np.full((5, 2), number, np.float16), np.zeros((0, 3), np.float32)) for number in range(5))
    assert sorted(frames[0, 0] for frames, _ in ring.draw(np.random.default_rng(0), 8)) == [2, 3, 4]


def test_stretches_of_recordings_join_each_batch() -> None:
    talk, hum = np.arange(50, dtype=np.float16).repeat(2).reshape(-1, 2), np.full((4, 2), -1, np.float16)
    ring = Examples(30, Recorded(groups=((3.0, (talk,)), (1.0, (hum,))), share=0.5, frames=10))
    ring.add((np.full((7, 2), 99, np.float16), np.zeros((1, 3), np.float32)) for _ in range(30))
    rng = np.random.default_rng(0)
    drawn = [clip for _ in range(50) for clip in ring.draw(rng, 20)]
    assert len(drawn) == 1000
    theirs = [frames for frames, rows in drawn if not len(rows)]
    assert len(theirs) == pytest.approx(500, abs=60)
    assert {frames.shape for frames in theirs} == {(10, 2)}, "what is too short is repeated"
    ours = [frames for frames in theirs if frames[0, 0] >= 0]
    assert len(ours) == pytest.approx(0.75 * len(theirs), abs=50)
    assert all(np.array_equal(np.diff(frames[:, 0]), np.ones(9)) for frames in ours), "a stretch of one piece"
    assert min(frames[0, 0] for frames in ours) == 0
    assert max(frames[-1, 0] for frames in ours) == 49


def test_recordings_are_heard_as_they_are_for_as_long_as_is_asked(tmp_path: Path, draw: np.random.Generator) -> None:
    for folder, seconds in (("speech_a", (3, 4, 5)), ("speech_b", (0.5, 6)), ("music", (2,))):
        (tmp_path / folder).mkdir()
        for number, length_s in enumerate(seconds):
            sound = draw.normal(0, 0.1, round(length_s * 16000)).astype(np.float32)
            write_audio(tmp_path / folder / f"{number}.flac", sound)
    stage = Stage("activate", [small_bank()], recordings=Recordings(tmp_path), ranges=Ranges())
    material = Material(
        word="activate", language="en-us", banks=(small_bank(),), own=(), recordings=stage.recordings, licences=()
    )
    fed = of_scenes(material, Ranges(recorded=0.5), 1, 0)
    drawn = [(round(group.often, 2), group.is_talk) for group in fed.recorded]
    assert drawn == [(0.46, True), (0.37, True), (0.17, False)]
    assert isinstance(fed.clips, SceneClips)
    assert 0 < fed.clips.stage.ranges.recorded < 0.5, "fewer of the scenes need to be recorded then"
    (tmp_path / "speech_b" / "1.flac").write_bytes(b"")
    kitchen = Kitchen(clips=fed.clips, recipe=Recipe(), workers=0)
    heard = recorded(replace(fed, raised=0.0), kitchen, 1.0, Stages())
    assert heard is not None
    lengths = [sorted(round(len(frames) / 100) for frames in group) for _, group in heard.groups]
    assert lengths == [[3, 4, 5], [2]], "neither what is too short nor what can no longer be read"
    fewer = recorded(fed, kitchen, 6 / 3600, Stages())
    assert fewer is not None
    assert len(fewer.groups[0][1]) == 1
    raised = recorded(fed, kitchen, 1.0, Stages())
    assert raised is not None
    assert [(round(often, 2), len(group)) for often, group in raised.groups] == [(0.37, 3), (0.09, 3), (0.17, 1)]
    assert recorded(of_scenes(material, Ranges(recorded=0), 1, 0), kitchen, 1.0, Stages()) is None, (
        "where no scene is to be recorded"
    )


def refused(number: int) -> tuple[Samples, tuple[Event, ...]]:
    """A source whose third clip cannot be made."""
    if number == 2:
        raise Failure("the disk is full: free some space.")
    return np.zeros(16000, np.float32), ()


@pytest.mark.parametrize("workers", [0, 1])
def test_what_fails_in_a_worker_is_told_in_one_sentence(workers: int) -> None:
    kitchen = Kitchen(clips=refused, recipe=Recipe(), workers=workers, batch=1)
    assert len(list(kitchen.serve(0, 2))) == 2
    with pytest.raises(Failure) as told:
        list(kitchen.serve(0, 3))
    assert str(told.value) == "the disk is full: free some space."


def test_no_examples_are_refused() -> None:
    with pytest.raises(Failure, match="no clips"):
        Examples(3).draw(np.random.default_rng(0), 8)
