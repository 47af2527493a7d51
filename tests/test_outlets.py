"""The settings decide which outlets there are."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from wakes import silence, wake

from kws.daemon.outlets import outlets_of, reach_s
from kws.daemon.settings import Keep, Mqtt, Settings, Word
from kws.daemon.wake import Outlet, plain
from kws.errors import Failure


def ignore(_: bool) -> None:
    """A mute switch that is tied to nothing."""


def test_there_are_none_unless_asked_for() -> None:
    assert outlets_of(Settings(), ["activate"], ignore) == []
    assert reach_s(Settings()) == 0.0


def test_there_is_one_of_each_kind_that_is_asked_for(tmp_path: Path) -> None:
    hook = "http://127.0.0.1:9/x"
    settings = Settings(
        words=(
            Word(exec=("true",), hand_over="raw", before_s=5.0),
            Word(exec=("true",), webhook=hook),
            Word(webhook=hook),
        ),
        mqtt=Mqtt(host="127.0.0.1", port=9),
        keep=Keep(folder=str(tmp_path / "clips"), before_s=1.5),
    )
    outlets = outlets_of(settings, ["activate"], ignore)
    assert [outlet.kind for outlet in outlets] == ["program", "webhook", "mqtt", "keep"]
    assert all(set(outlet.counts().values()) <= {0, 1} for outlet in outlets)
    assert reach_s(settings) == 7.0
    for outlet in outlets:
        outlet.close()


def test_one_that_cannot_be_had_leaves_none_open(tmp_path: Path) -> None:
    before = threading.active_count()
    (tmp_path / "file").touch()
    settings = Settings(
        words=(Word(webhook="http://127.0.0.1:9/x"),),
        mqtt=Mqtt(host="127.0.0.1", port=9),
        keep=Keep(folder=str(tmp_path / "file" / "clips")),
    )
    with pytest.raises(Failure, match="cannot write"):
        outlets_of(settings, ["activate"], ignore)
    assert threading.active_count() == before


def test_an_outlet_that_does_nothing_is_one_all_the_same() -> None:
    outlet = Outlet()
    outlet.wake(wake(), silence())
    outlet.gap()
    outlet.show_muted(True)
    outlet.close()
    assert outlet.counts() == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [("activate", "activate"), ("Hey Nova", "hey_nova"), ("../x", "x_"), ("привет", ""), ("", ""), ("a-b_c", "a-b_c")],
)
def test_plain_names_fit_files_and_topics(text: str, name: str) -> None:
    assert plain(text).startswith(name)
    assert plain(text).isascii()
    assert plain(text).replace("_", "").replace("-", "").isalnum()
