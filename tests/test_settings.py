"""The daemon's settings: whole, or refused with the line and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from kws.daemon.settings import Keep, Mqtt, Settings, Word, host_and_port, read_settings
from kws.errors import Misuse

WHOLE = """
device = "USB"
metrics = "9477"

[[word]]
detector = "activate"
threshold = 0.5
exec = ["notify-send", "heard"]
hand_over = "wav"

[[word]]
detector = "hey_nova.onnx"
cooldown_s = 3
webhook = "http://localhost:8123/api/webhook/nova"

[mqtt]
host = "broker"

[keep]
folder = "clips"
"""


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kws.toml"
    path.write_text(WHOLE, encoding="utf-8")
    assert read_settings(path) == Settings(
        device="USB",
        metrics="9477",
        words=(
            Word(detector="activate", threshold=0.5, exec=("notify-send", "heard"), hand_over="wav"),
            Word(detector="hey_nova.onnx", cooldown_s=3.0, webhook="http://localhost:8123/api/webhook/nova"),
        ),
        mqtt=Mqtt(host="broker"),
        keep=Keep(folder="clips"),
    )


def test_an_empty_file_listens_for_the_default_word_and_keeps_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kws.toml"
    path.touch()
    assert read_settings(path) == Settings()
    assert Settings().words == (Word(detector="activate"),)
    assert Settings().keep is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('foo = 1\ndevice = "x"', "line 1: 'foo' is not known here: choose of device"),
        ('device = "x"\ndevice = "y"\njson = true', "is not TOML: Cannot overwrite a value (at line 2"),
        ("device = 3", "line 1: device must be text in quotes, got 3"),
        ("json = 1", "line 1: json must be true or false, got 1"),
        ('json = true\nmetrics = "here"', "line 2: metrics must be HOST:PORT"),
        ("[[word]]\n[[word]]\nthreshold = 2", "line 3: threshold must be above 0 and at most 1, got 2"),
        ("[[word]]\nthreshold = nan", "line 2: threshold must be above 0"),
        ("[[word]]\nthreshold = true", "line 2: threshold must be a number, got True"),
        ("[[word]]\nthreshold = 0.5\ntarget_fa = 1", "line 2: threshold and target_fa both choose"),
        ('[[word]]\nexec = "say"', 'line 2: exec must be a list, ["program", "argument"]'),
        ('[[word]]\nexec = ["say", 2]', "line 2: exec must be text in quotes, got 2"),
        ('[[word]]\n\n[[word]]\nhand_over = "raw"', "line 4: hand_over needs a program"),
        ('[[word]]\nhand_over = "mp3"', "line 2: hand_over must be one of '', 'wav', 'raw', got 'mp3'"),
        ('[[word]]\nwebhook = "localhost"', "line 2: webhook must be a web address"),
        ("word = 3", "line 1: word must be a list of tables, [[word]]"),
        ("[word]", "line 1: word must be a list of tables, [[word]]"),
        ("word = []", "line 1: there is no [[word]] to listen for"),
        ("[mqtt]\nport = 3", "line 1: host is missing: add it"),
        ('[mqtt]\nhost = "b"\nport = 70000', "line 3: port must be at least 1 and at most 65535, got 70000"),
        ('[mqtt]\nhost = "b"\ntopic = "a/#"', "line 3: topic must hold none of + and #"),
        ('\n[keep]\nfolder = "x"\ndays = "y"', "line 4: days must be a number, got 'y'"),
        ("keep = 3", "line 1: keep must be a table, [keep]"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "kws.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Misuse) as caught:
        read_settings(path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="cannot read the settings"):
        read_settings(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("address", "found"),
    [("9477", ("127.0.0.1", 9477)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:80", ("::1", 80)), ("box:1", ("box", 1))],
)
def test_an_address_without_a_host_is_the_loopback(address: str, found: tuple[str, int]) -> None:
    assert host_and_port("metrics", address) == found


@pytest.mark.parametrize("address", ["", "here", "a:b", "1:2:3", "box:70000", "box:"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Misuse, match="metrics must be HOST:PORT"):
        host_and_port("metrics", address)
