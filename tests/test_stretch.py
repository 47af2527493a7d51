"""What is taken for the word is cut out and taught: the right seconds, under the name of their recording, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from test_evaluate import Ear, folder_of, sound, told

from kws.audio import RATE_HZ, read_audio
from kws.cli import verbs
from kws.errors import Failure
from kws.evaluate import find_classes, measure
from kws.events import taught_sources
from kws.stretch import AFTER_S, BEFORE_S, Stretch, around, mine


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Two days, in two classes by one name: a loud sound comes at once, in one again after 4 s. And a quiet night."""
    tail = [0.01] * 13
    early, late = sound(0.01, 0.01, 0.5, *tail, 0.5, *tail), sound(0.01, 0.01, 0.4, *tail)
    return folder_of(tmp_path / "talk", speech_a__day=early, speech_b__day=late, speech_b__night=sound(*tail))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_false_accept_is_cut_out_and_named_after_its_recording(talk: Path, tmp_path: Path) -> None:
    report = measure(Ear(), None, talk)
    assert report.negatives
    first, second, other = report.negatives.accepts
    start_s = second.time - BEFORE_S
    names = ["day@0.flac", f"day@{round(1000 * start_s)}.flac", "day@0-2.flac"]
    laid = list(mine(report, talk, tmp_path / "hard"))
    assert laid == [tmp_path / "hard" / "taught" / name for name in names]
    assert taught_sources(tmp_path / "hard") == {"day"}
    for path, accept, file in zip(laid, (first, second, other), ("speech_a", "speech_a", "speech_b"), strict=True):
        whole = read_audio(talk / file / "day.wav")
        begin = max(0, round((accept.time - BEFORE_S) * RATE_HZ))
        expected = whole[begin : round((accept.time + AFTER_S) * RATE_HZ)]
        np.testing.assert_allclose(read_audio(path), expected, atol=1e-4)


def test_mining_twice_among_the_recordings_themselves_gives_the_same_files(talk: Path) -> None:
    report = measure(Ear(), None, talk)
    list(mine(report, talk, talk))
    once = files(talk)
    again = measure(Ear(), None, talk)
    assert again.negatives == report.negatives, "what is taught is no recording to be heard"
    list(mine(again, talk, talk))
    assert files(talk) == once
    assert len(once) == 3 + 3
    assert "False accepts in 2 of the recordings without the word are taught" in told(again)
    assert "are taught" not in told(report)


def test_a_folder_of_nothing_but_what_is_taught_is_refused_and_that_alone_is_heard(talk: Path, tmp_path: Path) -> None:
    list(mine(measure(Ear(), None, talk), talk, tmp_path / "hard"))
    with pytest.raises(Failure, match="holds only what was cut out to be taught"):
        find_classes(tmp_path / "hard")
    assert len(find_classes(tmp_path / "hard" / "taught")["negatives"]) == 3


@pytest.mark.parametrize(
    ("recording", "name"),
    [
        ("hey_nova/trials/negatives/speech_held_out/0003_day.ogg", "day@400.flac"),
        ("hey_nova/trials/negatives/made_talk/12345_1999_a.flac", "1999_a@400.flac"),
        ("talk/2024_meeting.wav", "2024_meeting@400.flac"),
    ],
)
def test_the_number_is_left_out_under_which_kws_new_lays_a_recording_and_no_other(recording: str, name: str) -> None:
    start_s, end_s = around(2.0)
    stretch = Stretch(path=Path(recording), start_s=start_s, end_s=end_s)
    assert stretch.taught_in(Path("own")) == Path("own", "taught", name)


def test_the_command_mines_for_the_next_detector(talk: Path, tmp_path: Path, tiny_detector_path: Path) -> None:
    hard = tmp_path / "hard"
    asked = ["evaluate", str(tiny_detector_path), "--negatives", str(talk), "--threshold", "0.001", "--mine", str(hard)]
    done = CliRunner().invoke(verbs, asked)
    assert done.exit_code == 0, done.output
    once = files(hard)
    assert once
    assert f"{hard / 'taught'}: {len(once)} false accepts to be learnt from" in done.stderr
    assert CliRunner().invoke(verbs, [*asked, "--workers", "2"]).exit_code == 0
    assert files(hard) == once
