"""The studio lets in its own page and nobody else, and gives nothing but what it serves."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from studio_server import PATIENCE_S, Client, take

from kws.events import Recording, to_line
from kws.studio.app import WEB
from kws.studio.guard import CONTENT


def test_only_with_the_key_one_gets_in_and_a_cookie_carries_it_on(client: Client) -> None:
    for cookie in ("", "kws_studio=wrong", "kws_studio="):
        refused = client.ask("GET", "/standing.json", Cookie=cookie)
        assert refused.status == 401
        assert "open the address that kws studio has printed" in refused.json["error"]
    assert client.ask("GET", "/?key=wrong", Cookie="").status == 401
    entered = client.ask("GET", f"/?key={client.key}", Cookie="")
    assert (entered.status, entered.headers["Location"]) == (303, "./")
    assert {"HttpOnly", "SameSite=Strict"} <= set(entered.headers["Set-Cookie"].split("; "))
    assert client.ask("GET", "/").status == 200


@pytest.mark.parametrize("host", ["studio.example", "127.0.0.1.example:80", "10.0.0.1", ""])
def test_under_another_name_than_loopback_it_is_not_to_be_had(client: Client, host: str) -> None:
    assert client.ask("GET", "/standing.json", Host=host).status in {400, 403}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_another_sites_page_can_do_nothing(client: Client, origin: str) -> None:
    assert client.ask("GET", "/api/words", Origin=origin).status == 403
    assert client.ask("POST", "/api/words", {"word": "lantern"}, Origin=origin).status == 403
    socket_asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
    opened = client.ask(
        "GET", "/api/microphone", Origin=origin, Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==", **socket_asked
    )
    assert opened.status == 403
    assert client.get("/api/words") == []


def test_every_answer_says_what_the_page_may_do(client: Client) -> None:
    for path in ("/", "/standing.json", "/nothing", "/detectors/activate.onnx"):
        headers = client.ask("GET", path).headers
        assert "script-src 'self' 'wasm-unsafe-eval'" in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe-inline" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


SECRET = "not to be read"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.flac", "/%2e%2e/secret.flac", "/..%2fsecret.flac", "/runtime/../../secret.flac",
        "/runtime/..%2f..%2fsecret.flac", "/detectors/..%2f..%2fsecret.onnx", "//etc/passwd", "/web/app.js",
        "/api/words/lantern/recordings/positives/../../../../secret.flac",
        "/api/words/lantern/recordings/positives/..%2f..%2f..%2f..%2fsecret.flac",
        "/api/words/..%2f..%2f/report.html", "/api/words/lantern/recordings/positives/%2fetc%2fpasswd",
        "/api/datasets/scenes?name=../..&first=0&count=1", "/api/datasets/audio?name=..&number=0",
        "/api/datasets/audio?name=sly&number=0", "/api/samples/..%2fsecret.wav", "/studio.json",
    ],
)  # fmt: skip
def test_nothing_outside_what_it_serves_is_given(client: Client, tmp_path: Path, path: str) -> None:
    for name in ("secret.flac", "secret.onnx", "secret.wav"):
        (tmp_path / name).write_text(SECRET)
    sly = client.folder / "sly"
    sly.mkdir(parents=True)
    scene = Recording(audio=tmp_path / "secret.flac", duration=1.0)
    (sly / "manifest.jsonl").write_text(to_line(scene, tmp_path).replace("secret.flac", "../../secret.flac") + "\n")
    client.ask("POST", "/api/words/lantern/recordings?kind=positives&word=lantern", take())
    answer = client.ask("GET", path)
    assert answer.status in {400, 403, 404}
    assert SECRET.encode() not in answer.content


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("PUT", "/api/words/lantern/backgrounds/a.flac?word=lantern", b"no sound", 422, "a.flac"),
        ("PUT", "/api/words/lantern/backgrounds/a.exe?word=lantern", b"MZ", 400, "not a kind of sound file"),
        ("PUT", "/api/words/lantern/backgrounds/a.flac?word=lamp", b"x", 400, "is called lamp here"),
        ("POST", "/api/words/lantern/recordings?kind=positives&word=lantern", b"", 400, "holds no sound"),
        ("POST", "/api/words/lantern/recordings?kind=positives&word=lantern", bytes(10**6), 400, "3 s long"),
        ("POST", "/api/words/lantern/recordings?kind=negatives&word=lantern", bytes(10**7), 400, "at most"),
        ("POST", "/api/words/lantern/recordings?kind=songs&word=lantern", b"x", 400, "no kind of recording"),
        ("POST", "/api/words", b"{", 400, "not JSON"),
        ("POST", "/api/words", b"[]", 400, "not a JSON object"),
        ("POST", "/api/words", {"word": "-rf"}, 400, "one to 60 letters"),
        ("POST", "/api/words", {"word": "lantern", "language": "../x"}, 400, "tag such as"),
        ("POST", "/api/words", {"word": "lantern", "minutes": -1}, 400, "minutes"),
        ("POST", "/api/words", {"word": "lantern", "say": "x"}, 400, "list of respellings"),
        ("POST", "/api/words/lantern/go_on", {}, 404, "no word"),
        ("POST", "/api/words/lantern/stop", {}, 404, "no word"),
        ("GET", "/api/words/lantern/excerpts", None, 404, "no word"),
        ("GET", "/api/datasets/scenes?name=x&first=y", None, 400, "whole number"),
        ("GET", "/api/datasets/scenes?name=x&count=1000", None, 400, "from 1 to 100"),
        ("GET", "/api/datasets/scenes?name=x", None, 404, "no dataset"),
        ("PUT", "/api/words/lantern/backgrounds/a.flac?word=lantern", bytes(65 * 2**20), 413, ""),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_in_one_sentence(
    client: Client, method: str, path: str, body: Any, status: int, said: str
) -> None:
    answer = client.ask(method, path, body)
    assert answer.status == status, answer.content
    assert said in answer.json["error"]
    assert "Traceback" not in answer.json["error"]
    assert not list(client.folder.rglob(".*")), "nothing is left half-written"


def test_garbage_is_refused_and_it_serves_on(client: Client) -> None:
    for garbage in (b"\x00" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe" * 5000, b"GET " + b"a" * 10**5):
        with socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE_S) as line:
            line.sendall(garbage)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(PATIENCE_S)
            while line.recv(4096):
                pass
    assert client.get("/api/words") == []


def test_the_page_hosted_without_a_server_may_do_as_little() -> None:
    assert f'content="{CONTENT}"' in (WEB / "index.html").read_text(encoding="utf-8")
