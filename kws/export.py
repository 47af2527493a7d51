"""From the trained net to the one file that listens.

The graph is written node by node rather than traced, so that its names, its free sizes and its behaviour on zero frames
are ours to promise.

Format 1: inputs `frames` (1, T, M), `loud` (1, 1, W - 1), `conv` (1, M, frames kept) and `gru` (P * L, 1, H), the
layers of each member in turn; outputs `scores` (1, N) and each state's name with `_out`. A blank state is zeros, a free
size taken as 0. Matrices lie in half precision in the file; the runtime computes with floats.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from kws.config import Decision, Shape
from kws.detector import FORMAT_VERSION
from kws.features import LogMel
from kws.files import write_whole
from kws.model import Member, Net

OPSET = 17
_FLOAT = TensorProto.FLOAT


def export(path: Path, net: Net, word: str, decision: Decision, about: dict[str, Any]) -> None:
    """Write a detector file, aside first; `about` holds language, det, evaluation, recipe and licences.

    Raises Failure if it cannot be written.
    """
    model = helper.make_model(_graph(net), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    front_end = {**net.front_end.to_json(), "digest": LogMel(net.front_end).digest}
    metadata = {
        "format_version": FORMAT_VERSION, "word": word, "frontend": front_end, "shape": net.shape.to_json(),
        "decision": decision.to_json(), **about,
    }  # fmt: skip
    helper.set_model_props(model, {name: json.dumps(value, sort_keys=True) for name, value in metadata.items()})
    onnx.checker.check_model(model)
    write_whole(path, model.SerializeToString())


def _graph(net: Net) -> onnx.GraphProto:
    shape, bands = net.shape, net.front_end.bands
    numbers = range(shape.members * shape.layers)
    kept, weights = _halved(_weights(net))
    sizes: dict[str, list[int | str]] = {
        "loud": [1, 1, shape.loud_frames(net.front_end) - 1], "conv": [1, bands, "kept"],
        "gru": [len(numbers), 1, shape.hidden],
    }  # fmt: skip
    return helper.make_graph(
        [
            *weights,
            *_floor_nodes(shape.loud_frames(net.front_end)),
            *_window_nodes(),
            *_convolution_nodes(shape),
            *(node for number in numbers for node in _layer_nodes(number, shape)),
            *_score_nodes(shape),
        ],
        "activate_kws",
        [_value("frames", [1, "T", bands]), *(_value(name, size) for name, size in sizes.items())],
        [_value("scores", [1, "N"]), *(_value(f"{name}_out", _renamed(size)) for name, size in sizes.items())],
        [_constant(name, value) for name, value in {**_numbers(net), **kept}.items()],
    )


def _numbers(net: Net) -> dict[str, NDArray[Any]]:
    """Sizes and axes."""
    shape = net.shape
    return {
        "stride": np.array([shape.stride]), "overlap": np.array([shape.kernel - shape.stride]), "zero": np.array([0]),
        "one": np.array([1]), "two": np.array([2]), "minus_one": np.array([-1]),
        "ahead": np.array([1 - shape.loud_frames(net.front_end)]), "far": np.array([np.iinfo(np.int64).max]),
        "row": np.array([1, -1]), "share": np.array(shape.floor_share, np.float32),
    }  # fmt: skip


def _floor_nodes(loud_frames: int) -> list[onnx.NodeProto]:
    """The floor under the frames; the loudest is sought once more than asked, since no frame at all must give none."""
    return [
        helper.make_node("Transpose", ["frames"], ["bands"], perm=[0, 2, 1]),
        helper.make_node("Exp", ["bands"], ["power"]),
        helper.make_node("ReduceMean", ["power"], ["loudness"], axes=[1]),
        helper.make_node("Concat", ["loud", "loudness"], ["track"], axis=2),
        helper.make_node("Slice", ["track", "ahead", "far", "two"], ["loud_out"]),
        helper.make_node("MaxPool", ["track"], ["pooled"], kernel_shape=[loud_frames], pads=[0, 1]),
        helper.make_node("Slice", ["pooled", "zero", "minus_one", "two"], ["loudest"]),
        helper.make_node("Mul", ["loudest", "share"], ["floor"]),
        helper.make_node("Add", ["power", "floor"], ["sum"]),
        helper.make_node("Log", ["sum"], ["floored"]),
    ]


def _window_nodes() -> list[onnx.NodeProto]:
    """The frames under the convolution, how many steps they give, and what is kept of them."""
    return [
        helper.make_node("Concat", ["conv", "floored"], ["window"], axis=2),
        helper.make_node("Shape", ["window"], ["width"], start=2, end=3),
        helper.make_node("Sub", ["width", "overlap"], ["reach"]),
        helper.make_node("Div", ["reach", "stride"], ["whole"]),
        helper.make_node("Max", ["whole", "zero"], ["steps"]),
        helper.make_node("Cast", ["steps"], ["length"], to=TensorProto.INT32),
        helper.make_node("Mul", ["steps", "stride"], ["used"]),
        helper.make_node("Slice", ["window", "used", "far", "two"], ["conv_out"]),
    ]


def _convolution_nodes(shape: Shape) -> list[onnx.NodeProto]:
    """Convolution with the batch norm folded in, and each layer's state.

    Blank frames stand behind the window, so that there is a step where none is whole; no layer hears those.
    """
    count = shape.members * shape.layers
    firsts = [f"layer_{number}" for number in range(0, count, shape.layers)]
    return [
        helper.make_node(
            "Conv", ["window", "conv_w", "conv_b"], ["columns"],
            strides=[shape.stride], pads=[0, shape.kernel],
        ),
        helper.make_node("Relu", ["columns"], ["active"]),
        helper.make_node("Transpose", ["active"], ["turned"], perm=[2, 0, 1]),
        helper.make_node("Split", ["turned"], firsts, axis=2),
        helper.make_node("Split", ["gru"], [f"gru_{number}" for number in range(count)], axis=0),
    ]  # fmt: skip


def _layer_nodes(number: int, shape: Shape) -> list[onnx.NodeProto]:
    """One GRU layer of a member, over whole steps alone."""
    is_top = number % shape.layers == shape.layers - 1
    weights = [f"gru_{part}_{number}" for part in ("w", "r", "b")]
    return [
        helper.make_node(
            "GRU", [f"layer_{number}", *weights, "length", f"gru_{number}"], [f"heard_{number}", f"then_{number}"],
            hidden_size=shape.hidden, linear_before_reset=1,
        ),
        helper.make_node(
            "Squeeze", [f"heard_{number}", "one"], [f"top_{number}" if is_top else f"layer_{number + 1}"]
        ),
    ]  # fmt: skip


def _score_nodes(shape: Shape) -> list[onnx.NodeProto]:
    """The head over all members, and the states after the last step; the runtime blanks those of no step."""
    count = shape.members * shape.layers
    tops = [f"top_{number}" for number in range(shape.layers - 1, count, shape.layers)]
    return [
        helper.make_node("Concat", [f"then_{number}" for number in range(count)], ["then"], axis=0),
        helper.make_node("Greater", ["steps", "zero"], ["any"]),
        helper.make_node("Where", ["any", "then", "gru"], ["gru_out"]),
        helper.make_node("Concat", tops, ["beside"], axis=2),
        helper.make_node("MatMul", ["beside", "head_w"], ["product"]),
        helper.make_node("Add", ["product", "head_b"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("Reshape", ["probabilities", "row"], ["scores_and_blank"]),
        helper.make_node("Slice", ["scores_and_blank", "zero", "steps", "one"], ["scores"]),
    ]


def _weights(net: Net) -> dict[str, NDArray[Any]]:
    kernels, biases = zip(*(_folded_convolution(member) for member in net.nets), strict=True)
    weights = {
        "conv_w": np.concatenate(kernels), "conv_b": np.concatenate(biases),
        "head_w": np.concatenate([_array(member.head.weight).T / len(kernels) for member in net.nets]),
        "head_b": np.mean([_array(member.head.bias) for member in net.nets], axis=0),
    }  # fmt: skip
    for number in range(net.shape.members * net.shape.layers):
        member, layer = divmod(number, net.shape.layers)
        gates = _gru_weights(net.nets[member].gru, layer)
        weights |= {f"gru_{part}_{number}": weight for part, weight in gates.items()}
    return weights


def _halved(weights: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], list[onnx.NodeProto]]:
    """The weights as they lie in the file, matrices in half precision, and the nodes that widen those."""
    matrices = [name for name, value in weights.items() if value.ndim > 1]
    kept = {name: value for name, value in weights.items() if name not in matrices}
    kept |= {f"{name}_half": weights[name].astype(np.float16) for name in matrices}
    return kept, [helper.make_node("Cast", [f"{name}_half"], [name], to=_FLOAT) for name in matrices]


def _folded_convolution(net: Member) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel (C, M, K) and bias (C,) that take log-mel frames and give what the batch norm gives."""
    scale = _array(net.norm.weight) / np.sqrt(_array(net.norm.running_var) + net.norm.eps)
    weight = _array(net.filters).astype(np.float64) * scale[:, None, None]
    bias = _array(net.norm.bias) - scale * _array(net.norm.running_mean)
    return weight.astype(np.float32), bias.astype(np.float32)


def _gru_weights(gru: nn.GRU, layer: int) -> dict[str, NDArray[np.float32]]:
    """Torch orders the gates reset, update, new; ONNX update, reset, hidden."""

    def reorder(rows: Any) -> NDArray[np.float32]:
        reset, update, new = np.split(_array(rows), 3)
        return np.concatenate((update, reset, new))

    biases = [reorder(getattr(gru, f"bias_{side}_l{layer}")) for side in ("ih", "hh")]
    return {
        "w": reorder(getattr(gru, f"weight_ih_l{layer}"))[None],
        "r": reorder(getattr(gru, f"weight_hh_l{layer}"))[None],
        "b": np.concatenate(biases)[None],
    }


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().cpu().numpy(), np.float32)


def _value(name: str, sizes: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _FLOAT, sizes)


def _renamed(sizes: list[int | str]) -> list[int | str]:
    """Sizes whose free ones have a name of their own."""
    return [f"{size}_out" if isinstance(size, str) else size for size in sizes]


def _constant(name: str, value: NDArray[Any]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(value), name)
