"""What is said of files that are no detectors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import kws
from kws.config import Decision
from kws.det import SPOKEN, Det
from kws.detector import Caution
from kws.errors import Misuse
from kws.export import export
from kws.model import Net


def changed(source: Path, target: Path, **metadata: str | None) -> Path:
    """A copy of a detector with other metadata strings; None takes one out."""
    model = onnx.load(source)
    strings = {entry.key: entry.value for entry in model.metadata_props} | metadata
    del model.metadata_props[:]
    helper.set_model_props(model, {key: value for key, value in strings.items() if value is not None})
    onnx.save(model, target)
    return target


def test_a_missing_file_is_named() -> None:
    with pytest.raises(kws.Failure, match=r"nowhere\.onnx does not exist"):
        kws.load("nowhere.onnx")


def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(kws.Failure, match="no detector named 'bananas' is shipped"):
        kws.load("bananas")


def test_a_damaged_file_is_said_to_be_damaged(tiny_detector_path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(tiny_detector_path.read_bytes()[:5000])
    with pytest.raises(kws.Failure, match="damaged or not an ONNX file"):
        kws.load(damaged)


def test_a_model_of_somebody_else_is_told_apart(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [other])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "other.onnx"
    )
    with pytest.raises(kws.Failure, match="not a detector of ours"):
        kws.load(tmp_path / "other.onnx")


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"format_version": "99"}, "format version 99"),
        ({"decision": None}, "lacks metadata"),
        ({"word": "{"}, "damaged metadata"),
        ({"frontend": '{"digest": "0"}'}, "another front end"),
    ],
)
def test_wrong_metadata_is_explained(
    tiny_detector_path: Path, tmp_path: Path, metadata: dict[str, str | None], said: str
) -> None:
    with pytest.raises(kws.Failure, match=said):
        kws.load(changed(tiny_detector_path, tmp_path / "changed.onnx", **metadata))


def test_a_threshold_outside_its_range_is_misuse(tiny_detector_path: Path) -> None:
    with pytest.raises(kws.Failure, match="threshold"):
        kws.load(tiny_detector_path, threshold=1.5)


DET = Det(thresholds=(0.7, 0.95, 0.99), misses=(0, 1, 5), utterances=10, false_accepts=(90, 7, 1), hours=7.0)


@pytest.fixture
def measured(tiny_detector_path: Path, tmp_path: Path) -> Path:
    """A detector whose file holds a curve over 7 h of human speech."""
    curve = {"det": json.dumps(DET.to_json()), "evaluation": json.dumps({"negatives": SPOKEN})}
    return changed(tiny_detector_path, tmp_path / "measured.onnx", **curve)


@pytest.mark.parametrize(("target", "threshold"), [(100, 0.7), (1, 0.95), (0.5, 0.99)])
def test_a_target_moves_along_the_curve_in_the_file(measured: Path, target: float, threshold: float) -> None:
    assert kws.load(measured, target_fa=target).threshold == threshold


def test_a_target_that_the_hours_cannot_show_is_answered_with_a_caution(measured: Path) -> None:
    with pytest.warns(Caution, match=r"7.00 h of speech are too few for 0.2 per hour: .* fewer than 0.43"):
        assert kws.load(measured, target_fa=0.2).threshold == 0.99


def test_a_curve_of_synthetic_speech_is_cautioned_against(measured: Path, tmp_path: Path) -> None:
    made = changed(measured, tmp_path / "made.onnx", evaluation='{"negatives": "synthetic speech"}')
    with pytest.warns(Caution, match="synthetic speech, which says little about people"):
        kws.load(made, target_fa=1)


def test_a_target_out_of_reach_is_refused(measured: Path, tmp_path: Path) -> None:
    loud = json.dumps(replace(DET, false_accepts=(90, 70, 30)).to_json())
    with pytest.raises(kws.Failure, match=r"does not reach 0.1 .* allow at least 4.3"):
        kws.load(changed(measured, tmp_path / "loud.onnx", det=loud), target_fa=0.1)


def test_a_target_needs_a_curve_and_a_choice(tiny_detector_path: Path, measured: Path) -> None:
    with pytest.raises(kws.Failure, match="tells no false accepts by threshold"):
        kws.load(tiny_detector_path, target_fa=1)
    with pytest.raises(Misuse, match="give one of them"):
        kws.load(measured, target_fa=1, threshold=0.5)
    with pytest.raises(Misuse, match="above 0"):
        kws.load(measured, target_fa=-1)


def test_a_detector_into_a_missing_folder_is_refused(tiny_net: Net, tmp_path: Path) -> None:
    with pytest.raises(kws.Failure, match="cannot write"):
        export(tmp_path / "none" / "a.onnx", tiny_net, "test", Decision(threshold=0.5), {})
    assert not list(tmp_path.iterdir())


def test_zero_frames_give_zero_scores_and_the_same_state(tiny_detector_path: Path) -> None:
    model = kws.load(tiny_detector_path).model
    scores, state = model.run(np.zeros((0, 40), np.float32), model.blank_state())
    assert scores.shape == (0,)
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in model.blank_state().items()
    }
