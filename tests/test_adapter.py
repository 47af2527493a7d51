"""Another engine, measured as ours are: through a program that answers line by line."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kws.adapter import Adapter
from kws.audio import RATE_HZ, Samples, write_audio
from kws.audition import hear
from kws.cli import verbs
from kws.errors import Failure, Misuse

LOUDNESS = """
import json, struct, sys
word, step, held = sys.argv[-1], 1600, []
print(json.dumps({"word": word, "threshold": 0.3, "step_s": 0.1, "first_s": 0.1}), flush=True)
while head := sys.stdin.buffer.read(4):
    count = int.from_bytes(head, "little")
    if not count:
        held = []
        continue
    held += struct.unpack(f"<{count}h", sys.stdin.buffer.read(2 * count))
    scores = []
    while len(held) >= step:
        scores.append((sum(sample**2 for sample in held[:step]) / step) ** 0.5 / 32768)
        held = held[step:]
    print(json.dumps(scores), flush=True)
"""
"""A score is the RMS of a tenth of a second."""


@pytest.fixture
def loudness(tmp_path: Path) -> list[str]:
    (tmp_path / "loudness.py").write_text(LOUDNESS)
    return [sys.executable, str(tmp_path / "loudness.py")]


def levels(*levels: float) -> Samples:
    """Half a second of each level, a square wave."""
    return np.repeat(np.array(levels, np.float32), RATE_HZ // 2) * np.resize([1, -1], RATE_HZ // 2 * len(levels))


def test_it_scores_and_is_judged_by_our_rule(loudness: list[str]) -> None:
    sound = levels(0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.5).astype(np.float32)
    with closing(Adapter([*loudness, "beep"])) as engine:
        found = hear(engine, sound)
        assert (engine.word, engine.threshold, engine.frame_seconds) == ("beep", 0.3, 0.1)
        assert [hit.time for hit in found] == pytest.approx([0.6, 3.1]), "not again for two seconds"
        expected = np.repeat([0, 0.5, 0, 0.5, 0, 0, 0.5], 5)
        np.testing.assert_allclose(engine.scores(sound), expected, atol=1e-3)
        np.testing.assert_allclose(engine.scores(sound[: RATE_HZ // 2]), np.zeros(5), atol=1e-3)
        assert [hit.time for hit in hear(engine, sound)] == pytest.approx([0.6, 3.1])
    with closing(Adapter([*loudness, "beep"], threshold=0.6)) as engine:
        assert hear(engine, sound) == []


def test_what_was_just_fed_is_not_scored_again(loudness: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = levels(0.0, 0.5)
    with closing(Adapter([*loudness, "beep"])) as engine:
        hear(engine, sound)
        monkeypatch.setattr(engine, "feed", lambda _: pytest.fail("scored again"))
        assert len(engine.scores(sound)) == 10


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('hello')", "does not answer in JSON ('hello')"),
        ("print('[1]')", "does not say who it is ([1])"),
        ("import sys; sys.exit('no such model')", "ended, having said 'no such model'"),
        (LOUDNESS.replace("json.dumps(scores)", "'[2]'"), "do not lie between 0 and 1"),
        (LOUDNESS.replace("json.dumps(scores)", "'[NaN]'"), "do not lie between 0 and 1"),
        (LOUDNESS.replace("json.dumps(scores)", "'{}'"), "does not answer with scores ({})"),
        (LOUDNESS.replace("held += ", "sys.exit(3) #"), "ended"),
    ],
)
def test_a_program_that_talks_otherwise_is_told(program: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(program)
    with pytest.raises(Failure) as failed:
        hear(Adapter([sys.executable, str(tmp_path / "odd.py"), "beep"]), levels(0.0, 0.5))
    assert said in str(failed.value)
    assert "odd.py beep" in str(failed.value)


def test_no_such_program() -> None:
    with pytest.raises(Misuse, match="cannot be started"):
        Adapter(["no-such-program-here"])


def test_the_command_line_measures_it(loudness: list[str], tmp_path: Path) -> None:
    (tmp_path / "said").mkdir()
    write_audio(tmp_path / "said" / "loud.wav", levels(0.0001, 0.5))
    write_audio(tmp_path / "said" / "soft.wav", levels(0.0001, 0.2))
    asked = ["evaluate", "beep", "--adapter", " ".join(loudness), "--positives", str(tmp_path / "said"), "--json"]
    done = CliRunner().invoke(verbs, asked)
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["word"] == "beep"
    assert found["positives"]["frr"] == 0.5
