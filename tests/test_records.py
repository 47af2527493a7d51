"""Records of a run are those that TensorBoard reads, and go on where a run was stopped."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from kws.records import TensorBoard

pytest.importorskip("tensorboard", reason="pip install 'activate-kws[cluster]'")


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: step and value by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        told = EventAccumulator(str(folder))
        told.Reload()
        names = told.Tags()["scalars"]
        return {name: [(each.step, round(each.value, 4)) for each in told.Scalars(name)] for name in names}


def test_what_is_told_is_read(tmp_path: Path) -> None:
    record = TensorBoard(tmp_path, step=0)
    record.tell(20, {"loss": 0.5, "validation/frr": 0.25})
    record.tell(40, {"loss": 0.25})
    record.close()
    assert read(tmp_path) == {"loss": [(20, 0.5), (40, 0.25)], "validation/frr": [(20, 0.25)]}


def test_what_a_stopped_run_told_of_later_steps_is_hidden(tmp_path: Path) -> None:
    for step, told in ((0, {20: 0.5, 40: 0.4, 60: 0.3}), (40, {60: 0.2})):
        record = TensorBoard(tmp_path, step=step)
        for at, loss in told.items():
            record.tell(at, {"loss": loss})
        record.close()
    assert read(tmp_path)["loss"][-1] == (60, 0.2)
    assert (60, 0.3) not in read(tmp_path)["loss"]
