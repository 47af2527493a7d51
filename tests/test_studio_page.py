"""The studio's page in a real browser, with a microphone that plays a recording: what a person does, end to end.

Chromium's stand-in for a microphone plays a WAV file over and over. Every request is watched: none may go elsewhere.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from studio_server import Client, made_by, reported, running, until

import kws
from kws.audio import RATE_HZ, Samples, read_audio
from kws.cli.studio import OwnSpeech
from kws.daemon.source import Gap, Played, Source
from kws.demo import read_demo
from kws.events import Event, Recording, to_line
from kws.features import LogMelStream
from kws.sources import InputDevice, in_chunks
from kws.studio.browser_runtime import is_there, runtime_folder
from kws.studio.site import export

RUNTIME = runtime_folder()  # of the user: the tests' own cache is empty
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(not is_there(RUNTIME), reason="no onnxruntime-web: kws studio --get"),
]

PATIENCE_MS = 30_000
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


class Visit:
    """A page, and what it should not have done."""

    def __init__(self, page: Any, origin: str) -> None:
        self.page, self.origin = page, origin
        self.trouble: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self.trouble.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("request", self._watch)
        page.on("websocket", lambda line: self._elsewhere(line.url.replace("ws://", "http://")))

    def _watch(self, request: Any) -> None:
        if not request.url.startswith(("blob:", "data:")):
            self._elsewhere(request.url)

    def _elsewhere(self, url: str) -> None:
        if not url.startswith(self.origin):
            self.trouble.append(f"asked {url}")


@contextmanager
def browsing(
    address: str, microphone: Path | None = None, size: dict[str, int] = WIDE, **context: Any
) -> Iterator[Visit]:
    """A browser at an address; its microphone plays a file. Fails if anything was wrong on the way."""
    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    if microphone:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=arguments)
        page = browser.new_context(viewport=size, permissions=["microphone"], **context).new_page()
        visit = Visit(page, address.split("?", maxsplit=1)[0])
        page.goto(address)
        page.wait_for_selector("h1")
        yield visit
        browser.close()
    assert not visit.trouble


@pytest.fixture
def studio(tmp_path: Path, tiny_detector_path: Path) -> Iterator[Client]:
    with running(tmp_path / "home", RUNTIME, made_by(tiny_detector_path)) as client:
        yield client


def said_once() -> Samples:
    """The word with quiet around it: the stand-in plays it every four seconds."""
    demo = read_demo()
    said = demo.positives[0]
    sound = read_audio(demo.audio)[round((said.start - 0.2) * RATE_HZ) : round((said.end + 0.2) * RATE_HZ)]
    samples = np.random.default_rng(0).normal(0, 1e-4, 4 * RATE_HZ).astype(np.float32)
    samples[2 * RATE_HZ : 2 * RATE_HZ + len(sound)] += sound
    return samples


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "microphone.wav", said_once(), RATE_HZ)
    return tmp_path / "microphone.wav"


def figures(page: Any) -> list[str]:
    """Misses and false accepts that the first word's card tells."""
    return [text.strip() for text in page.locator(".threshold dd").all_inner_texts()]


def test_a_word_is_heard_and_its_threshold_moved(studio: Client, microphone: Path) -> None:
    with browsing(studio.address, microphone) as visit:
        page = visit.page
        page.get_by_role("button", name="Start").click()
        page.wait_for_selector(".detections li")
        line = page.locator(".detections li").first.inner_text()
        assert "activate" in line
        assert "ms of processor time per second of" in page.locator(".scope").inner_text()
        slider = page.get_by_role("slider", name="Threshold of activate")
        before = figures(page)
        assert len(before) == 2
        slider.focus()
        page.keyboard.press("End")
        strict = figures(page)
        assert strict != before
        assert "fewer than" in strict[1], "no rate is told below what the hours support"
        handle = page.locator(".lane .handle").bounding_box()
        lane = page.locator(".lane canvas").bounding_box()
        page.mouse.move(handle["x"] + 5, handle["y"] + handle["height"] / 2)
        page.mouse.down()
        page.mouse.move(handle["x"] + 5, lane["y"] + lane["height"] - 14, steps=4)
        page.mouse.up()
        assert figures(page) not in (before, strict)
        page.get_by_role("button", name="Reset to the file's").click()
        assert figures(page) == before
        page.get_by_role("button", name="Stop").click()
        count = page.locator(".detections li").count()
        page.wait_for_timeout(4500)
        assert page.locator(".detections li").count() == count, "it still listens"


def test_several_words_listen_at_once_to_this_machines_microphone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_detector_path: Path
) -> None:
    def played() -> Iterator[Samples | Gap]:
        while True:
            for chunk in in_chunks(said_once()):
                time.sleep(len(chunk) / RATE_HZ)
                yield chunk
            yield Gap(why="it was unplugged for a moment")

    there = InputDevice(index=3, name="Desk array", channels=1, rate_hz=16_000.0, is_default=True)
    monkeypatch.setattr("kws.studio.app.input_devices", lambda: [there])
    asked: list[str | None] = []

    def source(device: str | None) -> Source:
        asked.append(device)
        return Played(name="stub", chunks=played())

    with (
        running(tmp_path / "home", RUNTIME, made_by(tiny_detector_path), microphone=source) as client,
        browsing(client.address) as visit,
    ):
        page = visit.page
        page.get_by_role("checkbox", name="computer").focus()
        page.keyboard.press("Space")
        until(lambda: page.locator(".lane").count() == 2)
        page.get_by_role("combobox", name="Microphone").select_option(label="The server's: Desk array (default)")
        page.get_by_role("button", name="Start").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".detections li")
        assert "activate" in page.locator(".detections li").first.inner_text()
        page.wait_for_selector("text=it was unplugged for a moment")
    assert asked == ["3"]


def test_scores_and_frames_are_those_of_python(studio: Client) -> None:
    demo = read_audio(read_demo().audio)[: 25 * RATE_HZ]
    with browsing(studio.address) as visit:
        told = visit.page.evaluate(
            """async (samples) => {
                const { heardOf } = await import("./offline.js");
                return heardOf("detectors/activate.onnx", Float32Array.from(samples));
            }""",
            demo.tolist(),
        )
    detector = kws.load("activate")
    scores = detector.scores(demo)
    frames = np.asarray(told["frames"]).reshape(-1, detector.log_mel.front_end.bands)
    expected = LogMelStream(detector.log_mel).feed(demo)
    assert frames.shape == expected.shape
    assert np.abs(frames - expected).max() < 1e-4
    assert len(told["raw"]) == len(scores)
    assert np.abs(np.asarray(told["raw"]) - scores).max() < 1e-3
    found = detector.feed(demo)
    assert [each["timeS"] for each in told["fired"]] == pytest.approx([each.time for each in found], abs=1e-6)
    assert found


def test_a_detector_is_opened_from_disk_and_what_is_none_is_told(studio: Client, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no detector")
    (tmp_path / "mine.onnx").write_bytes((kws.detector.SHIPPED / "hey_nova.onnx").read_bytes())
    with browsing(studio.address) as visit:
        visit.page.locator("input[type=file]").set_input_files([tmp_path / "broken.onnx", tmp_path / "mine.onnx"])
        visit.page.wait_for_selector("text=broken.onnx cannot be opened")
        visit.page.get_by_role("slider", name="Threshold of hey nova").wait_for()


def test_the_person_says_the_word_and_it_is_kept(studio: Client, microphone: Path) -> None:
    with browsing(studio.address + "#make", microphone) as visit:
        page = visit.page
        page.get_by_label("Word or phrase").fill("activate")
        page.get_by_role("button", name="Examine it").click()
        page.get_by_role("button", name="Record a take").click()
        page.wait_for_selector("text=1 take kept", timeout=2 * PATIENCE_MS)
    (kept,) = (studio.folder / "recordings" / "activate").glob("*.flac")
    detector = kws.load("activate")
    sound = np.concatenate((np.zeros(RATE_HZ, np.float32), read_audio(kept), np.zeros(RATE_HZ, np.float32)))
    assert 0.4 < soundfile.info(kept).duration < 1.5
    assert detector.feed(sound), "what was kept is the word"


def test_a_word_is_begun_followed_stopped_and_made(studio: Client) -> None:
    with browsing(studio.address + "#make") as visit:
        page = visit.page
        page.get_by_label("Word or phrase").fill("lantern")
        page.get_by_role("button", name="Examine it").click()
        page.get_by_role("button", name="Let me hear it").click()
        page.wait_for_selector("text=2 voices")
        page.get_by_role("button", name="Make it").click()
        page.wait_for_selector("text=Stage 4 of 6: training")
        page.reload()
        page.wait_for_selector("text=Stage 4 of 6: training")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.wait_for_selector("text=It was stopped")
        page.get_by_role("button", name="Go on").click()
        page.wait_for_selector("text=Stage 4 of 6: training")
        (studio.folder / "go").touch()
        page.wait_for_selector("text=it is good")
        page.get_by_role("link", name="Listen to it").click()
        page.wait_for_selector("text=yours")


def test_a_false_accept_is_taught_and_the_word_trained_anew(studio: Client, tiny_detector_path: Path) -> None:
    reported(studio, tiny_detector_path)
    (studio.folder / "go").touch()
    studio.post("/api/words", {"word": "lantern"})
    with browsing(studio.address + "#make/lantern") as visit:
        page = visit.page
        page.get_by_role("button", name="Teach it that").first.click()
        page.wait_for_selector("text=Train anew to let it learn")
        (studio.folder / "go").unlink()
        wrong = page.locator("section", has_text="What it gets wrong")
        wrong.get_by_role("button", name="Train anew").click()
        page.wait_for_selector("text=Stage 4 of 6: training")
        (studio.folder / "go").touch()
        page.wait_for_selector("text=It is made.")
    assert list((studio.folder / "recordings" / "without-lantern" / "taught").iterdir())
    asked = json.loads((studio.folder / "lantern" / "asked.json").read_text())
    assert asked[asked.index("--negatives") + 1] == str(Path("recordings", "without-lantern"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_real_word_is_made_from_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KWS_CACHE", str(RUNTIME.parent))  # the hours of talk that voices may have said before
    with running(tmp_path / "home", RUNTIME, speech=OwnSpeech()) as client, browsing(client.address + "#make") as visit:
        page = visit.page
        page.get_by_label("Word or phrase").fill("activate")
        page.get_by_role("button", name="Examine it").click()
        page.wait_for_selector("text=phrase to wake by")
        page.get_by_label("Number of minutes").fill("1")
        page.get_by_role("button", name="Make it").click()
        page.wait_for_selector("text=Stage 4 of 6: training", timeout=1_800_000)
        page.wait_for_selector("text=It is made.", timeout=1_800_000)
        assert "missed nearby in quiet" in page.locator("pre.verdict").inner_text()
    assert kws.load(tmp_path / "home" / "activate" / "activate.onnx").word == "activate"


def a_dataset(folder: Path) -> None:
    (folder / "audio").mkdir(parents=True)
    samples = said_once()
    lines = []
    for number in range(30):
        soundfile.write(folder / "audio" / f"{number}.flac", samples, RATE_HZ)
        events = (Event(word="activate", kind="positive", start=2.2, end=2.9),)
        lines.append(to_line(Recording(audio=folder / "audio" / f"{number}.flac", duration=4.0, events=events), folder))
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")


def test_scenes_are_browsed_and_a_background_is_dropped_in(studio: Client, microphone: Path) -> None:
    a_dataset(studio.folder / "data" / "home")
    studio.ask("POST", "/api/words/lantern/recordings?kind=negatives&word=lantern", bytes(64_000))
    with browsing(studio.address + "#datasets") as visit:
        page = visit.page
        page.wait_for_selector("text=Scene 0")
        until(lambda: page.evaluate("document.querySelector('canvas.picture')?.width > 100"))
        assert "activate" in page.locator("main").inner_text()
        page.get_by_role("button", name="Later").click()
        page.wait_for_selector("text=Scene 24")
        page.locator("summary").first.click()
        page.locator("input[type=file]").set_input_files([microphone])
        page.wait_for_selector("text=1 background kept")
    assert (studio.folder / "recordings" / "without-lantern" / "noise" / "microphone.flac").is_file()


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """A plain web server, in a folder below its root."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    handler: Callable[..., Any] = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_the_page_alone_hears_without_a_server_and_offline(tmp_path: Path, microphone: Path) -> None:
    export(tmp_path / "site" / "below", RUNTIME, {"activate": kws.detector.SHIPPED / "activate.onnx"})
    assert json.loads((tmp_path / "site" / "below" / "standing.json").read_text())["server"] is False
    with hosted(tmp_path / "site") as address, browsing(f"{address}below/", microphone) as visit:
        page = visit.page
        assert page.locator("nav").count() == 0, "without a server there is nothing to make"
        page.get_by_role("button", name="Start").click()
        page.wait_for_selector("text=Listening with")
        page.context.set_offline(True)
        page.evaluate("document.querySelectorAll('.detections li').forEach((line) => line.remove())")
        page.wait_for_selector(".detections li")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["listen", "make", "datasets"])
def test_each_view_fits_a_phone_and_names_all_its_controls(studio: Client, view: str, scheme: str) -> None:
    a_dataset(studio.folder / "data" / "home")
    with browsing(f"{studio.address}#{view}", size=PHONE, color_scheme=scheme) as visit:
        page = visit.page
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.locator("h1").count() == 1
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input:not([hidden]), select, canvas[role]")]
                .filter((each) => each.checkVisibility())
                .filter((each) => !(each.textContent.trim() || each.ariaLabel || each.labels?.length || each.title))
                .map((each) => each.outerHTML)"""
        )
        assert nameless == []


def test_the_first_view_is_there_within_a_second(studio: Client) -> None:
    with browsing(studio.address) as visit:
        page = visit.page
        page.reload()
        page.wait_for_selector("h1")
        painted = page.wait_for_function("performance.getEntriesByName('first-contentful-paint')[0]")
        shown_ms = painted.evaluate("(paint) => paint.startTime")
    assert shown_ms < 1000
