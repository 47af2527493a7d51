"""The report as a page: it needs nothing else, says what the report says and believes no text from outside."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

from small_report import a_report, a_trial

from kws.excerpts import Excerpt, Excerpts
from kws.page import page
from kws.report import Positives, Report
from kws.wording import caveats

EVIL = "<script>alert(1)</script>\"'&"


class Reader(HTMLParser):
    """Collects tags, addresses and text, and that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def excerpts(report: Report) -> Excerpts:
    assert report.positives
    assert report.negatives
    return Excerpts(
        misses=tuple(Excerpt(of=trial, start_s=0.2, flac=b"fLaC1") for trial in report.positives.misses),
        alike=(Excerpt(of=replace(a_trial(80, missed=False), word="peep"), start_s=0.2, flac=b"fLaC3"),),
        all_alike=1,
        accepts=tuple(Excerpt(of=accept, start_s=0.2, flac=b"fLaC2") for accept in report.negatives.accepts[:4]),
        all_misses=2,
        all_accepts=21,
    )


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    report = a_report()
    text = page(report, excerpts(report), {"Scores": b"\x89PNG"})
    read = Reader(text)
    assert read.open == []
    assert read.addresses
    assert all(address.startswith("data:") for address in read.addresses)
    assert not {"script", "link", "iframe", "object"} & set(read.tags)
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_what_comes_from_outside_is_only_text() -> None:
    trials = tuple(replace(a_trial(n, missed=n % 2 == 0, **{EVIL: f"{EVIL}{n % 3}"}), file=EVIL) for n in range(60))
    report = replace(a_report(), word=EVIL, positives=Positives(trials=trials), skipped=(EVIL,), notes=(EVIL,))
    read = Reader(page(report, excerpts(report), {EVIL: b""}))
    assert "script" not in read.tags
    assert "".join(read.texts).count("<script>alert(1)") > 20


def test_the_page_says_the_headline_the_caveats_and_every_class() -> None:
    report = a_report()
    text = " ".join(Reader(page(report, None, {})).texts)
    for said in ("5.0 %", "3.33 per hour", "in 6.00 h", "condition far: 10.0 %", *caveats(report), "effects"):
        assert said in text


def test_each_excerpt_has_a_player_its_curve_and_the_threshold_and_what_is_left_out_is_said() -> None:
    report = a_report()
    text = page(report, excerpts(report), {})
    read = Reader(text)
    assert (read.tags.count("audio"), read.tags.count("polyline")) == (7, 7)
    assert base64.b64encode(b"fLaC1").decode() in text
    assert "17 are left out here and listed in report.json" in text
    assert "Missed: 2" in text
    assert "peep: yes/80.wav" in text
    assert "held back" not in text
    lines = re.findall(r'class="threshold" x1="0" x2="300" y1="30.0" y2="30.0"', text)
    assert len(lines) == 7, "at half the height, since the threshold is 0.5"


def test_a_page_without_excerpts_has_no_players() -> None:
    assert "audio" not in Reader(page(a_report(), None, {})).tags


def test_what_sounds_like_the_word_is_listed_and_what_was_taken_for_it_marked() -> None:
    alike = tuple(replace(a_trial(n, missed=n < 39, voice="x"), word=f"{EVIL}{n}", kind="near-miss") for n in range(40))
    positives = a_report().positives
    assert positives
    read = Reader(page(replace(a_report(), positives=replace(positives, alike=alike)), None, {}))
    assert [text for text in read.texts if text.startswith(EVIL)] == [f"{EVIL}{n}" for n in range(39, 9, -1)]
    assert read.texts.count("taken") == 1
    assert "the other 10 are in report.json" in " ".join(read.texts)


def test_a_group_too_small_to_judge_is_marked() -> None:
    trials = [a_trial(n, missed=False, voice="few" if n < 3 else "many") for n in range(60)]
    text = page(replace(a_report(), positives=Positives(trials=tuple(trials))), None, {})
    assert re.search(r"few <small>too few to judge</small>", text)
    assert not re.search(r"many <small>too few", text)
