"""A word made from the studio: begun, followed, stopped, gone on with, and what it gets wrong taught."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path

import pytest
import soundfile
from studio_server import Client, made_by, reported, running, take, until


def test_a_word_is_made_and_then_listened_to(client: Client) -> None:
    client.ask("POST", "/api/words/hey-nova/recordings?kind=positives&word=hey%20nova", take())
    begun = client.post("/api/words", {"word": "hey  nova", "say": ["hay nova"], "minutes": 3})
    assert (begun["name"], begun["state"], begun["detector"]) == ("hey-nova", "running", None)
    word = until(lambda: next((each for each in client.get("/api/words") if each["progress"] and each["log"]), None))
    assert (word["progress"]["stage"], word["progress"]["done"], word["log"]) == ("training", 1, ["speaking"])
    busy = client.ask("POST", "/api/words", {"word": "lantern"})
    assert (busy.status, "is being made" in busy.json["error"]) == (409, True)
    asked = json.loads((client.folder / "hey_nova" / "asked.json").read_text())
    assert asked == [
        "new", "--out", "hey_nova", "--language", "en-us", "--say", "hay nova", "--budget", "3",
        "--positives", str(Path("recordings", "hey-nova")), "--progress", "json", "--", "hey nova",
    ]  # fmt: skip
    (client.folder / "go").touch()
    done = until(lambda: next((each for each in client.get("/api/words") if each["state"] == "done"), None))
    assert (done["verdict"], done["detector"], done["progress"]) == ("it is good", "detectors/hey-nova.onnx", None)
    names = {each["name"]: each["shipped"] for each in client.get("/standing.json")["detectors"]}
    assert names["hey-nova"] is False
    assert names["activate"] is True
    assert client.ask("GET", "/detectors/hey-nova.onnx").content[:2] != b"{"


def test_what_is_stopped_goes_on_and_what_is_done_begins_anew(client: Client) -> None:
    client.post("/api/words", {"word": "lantern"})
    until(lambda: client.get("/api/words")[0]["progress"])
    assert client.post("/api/words/lantern/stop")["state"] == "stopped"
    run = client.folder / "lantern" / "run"
    run.mkdir()
    client.post("/api/words/lantern/go_on")
    assert run.is_dir(), "it goes on where it was stopped"
    (client.folder / "go").touch()
    until(lambda: client.get("/api/words")[0]["state"] == "done")
    client.post("/api/words", {"word": "lantern"})
    assert not run.exists()


def test_a_failure_is_told_as_it_was_said(client: Client) -> None:
    client.post("/api/words", {"word": "lantern"})
    (client.folder / "fail").touch()
    (client.folder / "go").touch()
    word = until(lambda: next((each for each in client.get("/api/words") if each["state"] == "failed"), None))
    assert word["error"] == "the disk is full: free some space."


def test_what_is_known_outlasts_the_server_and_what_ran_has_stopped(tmp_path: Path, tiny_detector_path: Path) -> None:
    program = made_by(tiny_detector_path)
    with running(tmp_path / "home", tmp_path, program) as client:
        client.post("/api/words", {"word": "hey nova", "language": "en-gb", "say": ["hay nova"], "minutes": 3})
        until(lambda: client.get("/api/words")[0]["progress"])
    with running(tmp_path / "home", tmp_path, program) as client:
        (word,) = client.get("/api/words")
        assert (word["word"], word["language"], word["say"], word["minutes"]) == ("hey nova", "en-gb", ["hay nova"], 3)
        assert word["state"] == "stopped"
        client.post("/api/words/hey-nova/go_on")
        client.post("/api/words/hey-nova/stop")


def test_what_it_gets_wrong_is_shown_and_a_false_accept_is_taught(client: Client, tiny_detector_path: Path) -> None:
    reported(client, tiny_detector_path)
    found = client.get("/api/words/lantern/excerpts")
    assert [(each["id"], each["score"]) for each in found["accepts"]] == [("accepts-0", 0.5), ("accepts-1", 0.3)]
    (miss,) = found["misses"]
    assert miss["title"] == "nearby, quiet, tone:a"
    first = found["accepts"][0]
    curve = first["curve"]
    assert 0 <= curve["start"] < 0.1
    assert curve["start"] + curve["step"] * (len(curve["scores"]) - 1) == pytest.approx(first["seconds"], abs=0.15)
    sound = client.ask("GET", "/" + first["url"])
    assert soundfile.info(io.BytesIO(sound.content)).duration == pytest.approx(first["seconds"], abs=0.01)
    assert client.ask("POST", "/api/words/lantern/excerpts/misses-0/negative", {}).status == 400
    assert not first["is_negative"]
    client.post("/api/words/lantern/excerpts/accepts-0/negative")
    assert client.get("/api/words/lantern/excerpts")["accepts"][0]["is_negative"]
    files = [each["file"] for each in client.get("/api/words/lantern/recordings")["negatives"]]
    assert files == ["talk-001.flac", "taught/abc@3400.flac"]
    report = client.ask("GET", "/api/words/lantern/report.html")
    assert "style-src 'unsafe-inline'" in report.headers["Content-Security-Policy"]
    assert "script" not in report.headers["Content-Security-Policy"]


def test_a_damaged_memory_or_report_is_told(client: Client, tiny_detector_path: Path, tmp_path: Path) -> None:
    reported(client, tiny_detector_path)
    (client.folder / "lantern" / "report" / "report.json").write_text("{}")
    answer = client.ask("GET", "/api/words/lantern/excerpts")
    assert (answer.status, "is damaged" in answer.json["error"]) == (422, True)


def test_ending_it_stops_what_it_makes(tmp_path: Path, tiny_detector_path: Path) -> None:
    program = made_by(tiny_detector_path)
    begin = "import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))\n"
    with running(tmp_path, tmp_path, begin + program) as client:
        client.post("/api/words", {"word": "lantern"})
        until(lambda: client.get("/api/words")[0]["progress"])
        process = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
