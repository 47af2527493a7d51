"""scripts/make_words does not take a detector for one that is said in another way."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest
from script_module import load_script

from kws.errors import Failure


def test_a_detector_said_in_another_way_is_not_taken(tmp_path: Path) -> None:
    words = load_script("make_words")
    out = tmp_path / "hey_mycroft" / "sound"
    out.mkdir(parents=True)
    (out / "made.json").write_text(json.dumps({"minutes": 8.0, "says": ["hey my croft"]}), encoding="utf-8")
    kept = words.detector(Namespace(folder=tmp_path, say=["hey my croft"]), "hey mycroft", "sound")
    assert kept == out / "hey_mycroft.onnx"
    with pytest.raises(Failure, match="another folder"):
        words.detector(Namespace(folder=tmp_path, say=[]), "hey mycroft", "sound")
