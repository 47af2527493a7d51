"""The preview page: it needs nothing else, holds the scenes themselves, and survives any text."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_stage import FakeScene, FakeStage, FakeTake
from matplotlib.image import imread

from kws.errors import Failure
from kws.events import Event, read_manifest
from synth.generate import Order, generate, perform
from synth.preview import write_preview

SCENES = 3


@dataclass(frozen=True, kw_only=True)
class Saying(FakeStage):
    """Says what it is told to, beside the word."""

    word: str = "activate"
    about: dict[str, Any] = field(default_factory=dict)

    def render(self, scene: FakeScene) -> FakeTake:
        take = super().render(scene)
        later = Event(word=self.word, kind="near-miss", start=0.42, end=0.48)
        return replace(take, events=(*take.events, later), about=self.about)


class Page(HTMLParser):
    """The elements of a page, and the text outside scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._raw = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._raw = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._raw else data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for found, attributes in self.elements if found == tag]

    def contents(self, tag: str) -> list[io.BytesIO]:
        return [io.BytesIO(base64.b64decode(each["src"].partition(",")[2])) for each in self.all(tag)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("previews") / "new"
    assert write_preview(folder, FakeStage(), 3, SCENES) == (folder / "preview.html", folder / "preview.png")
    return folder


@pytest.fixture(scope="module")
def page(seen: Path) -> Page:
    return Page(seen / "preview.html")


def test_nothing_is_fetched_from_elsewhere(page: Page, seen: Path) -> None:
    addresses = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in {"src", "href"}
    ]
    assert len(addresses) == 2 * SCENES
    assert all(address.startswith(("data:image/png;base64,", "data:audio/mpeg;base64,")) for address in addresses)
    assert "default-src 'none'" in page.all("meta")[2]["content"], "and the browser would not let it be"
    assert "://" not in (seen / "preview.html").read_text()


def test_the_sounds_are_those_of_the_scenes(page: Page) -> None:
    for number, mp3 in enumerate(page.contents("audio")):
        heard, rate_hz = soundfile.read(mp3)
        take = perform(FakeStage(), 3, number)
        assert rate_hz == 16_000
        assert len(heard) == len(take.samples)
        assert np.corrcoef(heard, take.samples)[0, 1] > 0.98


def test_spectrograms_are_bright_where_something_is_said_at_the_height_of_its_pitch(page: Page) -> None:
    for number, png in enumerate(page.contents("img")):
        bright = imread(png)[::-1, :, :3].sum(axis=2)
        (event,) = perform(FakeStage(), 3, number).events
        first, last = round(event.start * 100), round(event.end * 100)
        assert first - 2 <= int(bright.max(axis=0).argmax()) <= last + 2
        pitch_hz = FakeStage().draw(np.random.default_rng([3, number])).pitch_hz
        mel = 2595 * np.log10(1 + np.array([60, pitch_hz, 7600]) / 700)
        height = (mel[1] - mel[0]) / (mel[2] - mel[0])
        assert bright[:, (first + last) // 2].argmax() / len(bright) == pytest.approx(height, abs=0.08)


def test_every_event_can_be_pressed_and_lies_where_it_was_said(page: Page) -> None:
    buttons, marks = page.all("button"), page.all("b")
    for number in range(SCENES):
        (event,) = perform(FakeStage(), 3, number).events
        assert float(buttons[number]["data-start"]) == pytest.approx(event.start, abs=1e-3)
        assert float(buttons[number]["data-end"]) == pytest.approx(event.end, abs=1e-3)
        left = float(marks[number]["style"].partition("left:")[2].partition("%")[0])
        assert left == pytest.approx(100 * event.start / 0.5, abs=1e-3)
        assert f"{event.start:.2f}–{event.end:.2f} s" in page.text


def test_sounds_and_pictures_have_names_for_those_who_do_not_see(page: Page) -> None:
    named = [attributes.get("aria-label") for tag in ("audio", "svg") for attributes in page.all(tag)]
    named += [attributes.get("alt") for attributes in page.all("img")]
    assert all(named) and len(set(named)) == 3 * SCENES
    assert page.all("html")[0]["lang"] == "en"
    headings = {attributes["id"] for attributes in page.all("h2")}
    assert {attributes["aria-labelledby"] for attributes in page.all("section")} == headings


def test_the_title_says_how_many_scenes_of_what_seed_hold_the_word(page: Page) -> None:
    assert page.text.strip().startswith("3 scenes with “activate”, seed 3")
    assert "positive (3)" in page.text


def test_what_was_drawn_is_told_with_its_units(tmp_path: Path) -> None:
    about = {
        "level_db": -20.5, "rt60_s": 0.4, "distance_m": None, "recorded": False,
        "noises": [{"kind": "hum", "snr_db": 12.0}, {"kind": "music", "snr_db": 30}], "device": {"band_hz": [80, 3400]},
        "<i>odd</i>": [],
    }  # fmt: skip
    write_preview(tmp_path, Saying(about=about), 1, 1)
    text = " ".join(Page(tmp_path / "preview.html").text.split())
    assert "level-20.5 dBRT600.4 sdistancenonerecordedno" in text
    assert "noiseskind hum, SNR 12 dB; kind music, SNR 30 dBdeviceband 80–3400 Hz<i>odd</i>none" in text
    take = perform(FakeStage(), 1, 0)
    assert f"measuredpeak {20 * np.log10(np.abs(take.samples).max()):.1f} dB" in text


@pytest.mark.parametrize(
    "word",
    ["</script><script>alert(1)</script>", "\"'><img src=x>", "a & b", "$\\frac{1}{", "电脑 شغل", "two\nlines", ""],
)
def test_any_word_is_shown_as_it_is_written(tmp_path: Path, word: str) -> None:
    page, _ = write_preview(tmp_path, Saying(word=word), 1, 1)
    read = Page(page)
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert len(read.all("img")) == 1
    assert f"{word} near-miss" in read.text
    assert read.all("b")[1]["title"] == word


def test_silence_is_shown_too(tmp_path: Path) -> None:
    class Silent(FakeStage):
        def render(self, scene: FakeScene) -> FakeTake:
            return FakeTake(samples=np.zeros(8000, np.float32), events=())

    page, _ = write_preview(tmp_path, Silent(), 1, 1)
    assert "peak -200 dB" in Page(page).text
    assert "no words" in Page(page).text


def test_the_picture_grows_with_the_scenes(seen: Path, tmp_path: Path) -> None:
    _, picture = write_preview(tmp_path, FakeStage(), 3, 1)
    one, three = imread(picture), imread(seen / "preview.png")
    assert three.shape[0] > 1.6 * one.shape[0]
    assert three.shape[1] == one.shape[1]
    assert one.std() > 0.1


def test_the_same_order_gives_the_same_page(seen: Path, tmp_path: Path) -> None:
    for path in write_preview(tmp_path, FakeStage(), 3, SCENES):
        assert path.read_bytes() == (seen / path.name).read_bytes()


def test_a_page_and_a_dataset_share_a_folder(seen: Path, tmp_path: Path) -> None:
    order = Order(word="activate", language="en-us", seed=3, clips=SCENES)
    assert list(generate(seen, order, FakeStage()))[-1] == SCENES
    before = {path: path.read_bytes() for path in seen.rglob("*") if path.is_file()}
    write_preview(seen, FakeStage(), 3, SCENES)
    assert {path: path.read_bytes() for path in seen.rglob("*") if path.is_file()} == before
    for recording, mp3 in zip(read_manifest(seen), Page(seen / "preview.html").contents("audio"), strict=True):
        assert np.corrcoef(soundfile.read(recording.audio)[0], soundfile.read(mp3)[0])[0, 1] > 0.98


def test_a_page_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="cannot write"):
        write_preview(tmp_path / "file", FakeStage(), 3, 1)
    (tmp_path / "preview.html").mkdir()
    with pytest.raises(Failure, match=r"cannot write .*preview\.html"):
        write_preview(tmp_path, FakeStage(), 3, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "preview.html"}
