"""A steady microphone gives gaps where sound is missing, and finds its device again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import soxr
from fake_portaudio import FakePortAudio, FakeStream, block, card

import kws
from kws.audio import RATE_HZ, Samples, read_audio
from kws.daemon.source import Gap
from kws.daemon.steady import Patience, SteadyMicrophone
from kws.demo import read_demo
from kws.listener import Listener, listen
from kws.sources import CHUNK, CHUNK_S, GAP_S, NoMicrophone, in_chunks

HASTE = Patience(first_s=0.01, longest_s=0.04, dead_s=5 * CHUNK_S, longest_dead_s=20 * CHUNK_S, stall_s=0.2)


def steady(portaudio: FakePortAudio, device: str | None = None) -> SteadyMicrophone:
    return SteadyMicrophone(device, portaudio=portaudio, patience=HASTE)


def voice(seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, (CHUNK, 1)).astype(np.float32)


class Player:
    """Takes what the microphone gives, and gives blocks to the stream that is open when it is asked for more."""

    def __init__(self, portaudio: FakePortAudio, microphone: SteadyMicrophone) -> None:
        self.portaudio, self.items = portaudio, iter(microphone)

    def give(self, sound: Samples) -> None:
        self.portaudio.streams[-1].give(sound)

    def take(self) -> Samples | Gap:
        return next(self.items)

    def take_sound(self) -> Samples:
        item = self.take()
        assert not isinstance(item, Gap)
        return item

    def until_sound(self, limit: int = 500) -> tuple[int, Samples]:
        """Gaps before the next chunk, and the chunk; a block is given to whatever stream is open."""
        for gaps, item in enumerate(islice(self.items, limit)):
            if not isinstance(item, Gap):
                return gaps, item
            if self.portaudio.streams and self.portaudio.streams[-1].is_open:
                self.give(voice())
        raise AssertionError(f"no sound after {limit} gaps")

    def close(self) -> None:
        self.items.close()


def begin(portaudio: FakePortAudio, device: str | None = None) -> tuple[SteadyMicrophone, Player]:
    """A microphone that has given its first chunk."""
    microphone = steady(portaudio, device)
    player = Player(portaudio, microphone)

    def opened(stream: FakeStream) -> None:
        if not microphone.openings:
            stream.give(voice(1))

    portaudio.on_open = opened
    player.take_sound()
    return microphone, player


def test_what_an_open_microphone_gives_is_passed_on_without_gaps() -> None:
    microphone, player = begin(FakePortAudio([card("USB")]))
    for seed in range(5):
        player.give(voice(seed))
        assert np.array_equal(player.take_sound(), voice(seed)[:, 0])
    assert (microphone.state, microphone.openings, microphone.name) == ("open", 1, "USB")
    player.close()
    assert not player.portaudio.streams[0].is_open


def test_a_device_that_is_unplugged_is_found_again_under_another_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    portaudio = FakePortAudio([card("Desk"), card("USB (hw:1,0)")])
    microphone, player = begin(portaudio, "1")
    portaudio.plugged = [card("Desk")]
    portaudio.streams[-1].unplug()
    for _ in range(20):
        assert isinstance(player.take(), Gap)
        assert microphone.state == "looking"
    portaudio.plugged = [card("Other"), card("Another"), card("USB (hw:3,0)")]
    gaps, _ = player.until_sound()
    assert gaps >= 1
    assert portaudio.streams[-1].settings["device"] == 2
    assert (microphone.state, microphone.openings) == ("open", 2)
    told = [record.message for record in caplog.records]
    assert len([each for each in told if "is gone" in each]) == 1, told
    assert told[-1] == "the microphone 'USB' gives sound"


def test_another_device_never_takes_the_place_of_the_one_that_was_named() -> None:
    portaudio = FakePortAudio([card("USB"), card("Baby monitor")])
    for device in ("0", "usb"):
        portaudio.plugged = [card("USB"), card("Baby monitor")]
        portaudio._initialize()
        _, player = begin(portaudio, device)
        portaudio.plugged = [card("Baby monitor")]
        streams = len(portaudio.streams)
        portaudio.streams[-1].unplug()
        assert all(isinstance(item, Gap) for item in islice(player.items, 20))
        assert len(portaudio.streams) == streams


def test_without_a_name_the_new_default_is_taken() -> None:
    portaudio = FakePortAudio([card("USB")])
    microphone, player = begin(portaudio)
    portaudio.plugged = [card("Desk")]
    portaudio.streams[-1].unplug()
    player.until_sound()
    assert microphone.name == "Desk"


def test_it_waits_for_a_microphone_that_is_not_there_yet() -> None:
    portaudio = FakePortAudio([])
    microphone = steady(portaudio, "USB")
    player = Player(portaudio, microphone)
    assert all(isinstance(player.take(), Gap) for _ in range(5))
    portaudio.plugged = [card("USB")]
    assert player.until_sound()[0] >= 1


def test_each_wait_is_twice_as_long_as_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        waits[-1] += seconds

    def waited(self: SteadyMicrophone) -> Iterator[Gap]:
        waits.append(0.0)
        yield from wait(self)

    wait = SteadyMicrophone._wait
    monkeypatch.setattr(SteadyMicrophone, "_wait", waited)
    monkeypatch.setattr("kws.daemon.steady.time.sleep", sleep)
    monkeypatch.setattr("kws.daemon.steady.time.monotonic", lambda: now_s)
    items = iter(SteadyMicrophone(portaudio=FakePortAudio([])))
    while len(waits) < 9:
        next(items)
    assert waits[:8] == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30])


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_device_that_is_open_but_dead_is_opened_anew_later_and_later(
    value: float, caplog: pytest.LogCaptureFixture
) -> None:
    portaudio = FakePortAudio([card("USB")])
    microphone, player = begin(portaudio)
    chunks = []
    for _ in range(3):
        opened, count = microphone.openings, 0
        while microphone.openings == opened:
            if portaudio.streams[-1].is_open:
                player.give(block(value))
            count += not isinstance(player.take(), Gap)
        chunks.append(count)
    assert chunks[1] > 1.5 * chunks[0] and chunks[2] > 1.5 * chunks[1]
    assert len([each for each in caplog.records if "digital silence" in each.message]) == 1
    assert portaudio.starts == 4


def test_silence_that_is_alive_is_left_alone() -> None:
    microphone, player = begin(FakePortAudio([card("USB")]))
    for seed in range(50):
        player.give(voice(seed) * 1e-3)
        assert not isinstance(player.take(), Gap)
    assert microphone.openings == 1


def test_there_is_a_gap_where_blocks_were_lost() -> None:
    portaudio = FakePortAudio([card("USB")])
    microphone, player = begin(portaudio)
    portaudio.streams[-1].give(voice(1))
    portaudio.streams[-1].give(voice(2), overflow=True)
    portaudio.streams[-1].give(voice(3))
    kinds = [isinstance(player.take(), Gap) for _ in range(4)]
    assert kinds == [False, True, False, False]
    assert microphone.overruns == 1


def test_there_is_a_gap_where_a_stopped_listener_let_the_queue_run_over() -> None:
    portaudio = FakePortAudio([card("USB")])
    microphone, player = begin(portaudio)
    for seed in range(103):
        portaudio.streams[-1].give(voice(seed))
    taken = [player.take() for _ in range(100)]
    assert not any(isinstance(item, Gap) for item in taken), "what was queued is whole"
    portaudio.streams[-1].give(voice(200))
    assert isinstance(player.take(), Gap)
    assert np.array_equal(player.take_sound(), voice(200)[:, 0])
    assert microphone.overruns == 3


def test_there_is_a_gap_where_the_machine_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("kws.sources.elapsed_s", lambda: now_s)
    portaudio = FakePortAudio([card("USB")])
    _, player = begin(portaudio)
    kinds = []
    for step_s in (CHUNK_S, GAP_S / 2, 3600.0, CHUNK_S):
        now_s += step_s
        player.give(voice())
        while isinstance(item := player.take(), Gap):
            kinds.append("gap")
        kinds.append("sound" if len(item) else "")
    assert kinds == ["sound", "sound", "gap", "sound", "sound"]


def test_one_that_must_be_there_fails_at_the_start_and_never_later() -> None:
    portaudio = FakePortAudio([])
    with pytest.raises(NoMicrophone, match="no microphone"):
        next(iter(SteadyMicrophone(portaudio=portaudio, must_be_there=True)))
    portaudio.plugged = [card("USB")]
    portaudio._initialize()
    microphone = SteadyMicrophone(portaudio=portaudio, must_be_there=True, patience=HASTE)
    assert isinstance(next(iter(microphone)), Gap), "it was there, and has stalled"


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (48_000, 2), (96_000, 1), (22_050, 1)])
def test_a_word_is_heard_alike_at_any_rate_and_number_of_channels(rate_hz: int, channels: int) -> None:
    sound = read_audio(read_demo().audio)[: 20 * RATE_HZ]
    expected = [each for heard in listen([kws.load("activate")], in_chunks(sound)) for each in heard.detections]
    assert expected
    there = np.stack([soxr.resample(sound, RATE_HZ, rate_hz)] * channels, axis=1)
    blocks = iter(np.split(there, range(round(CHUNK_S * rate_hz), len(there), round(CHUNK_S * rate_hz)))[:-1])
    device = card("hw", channels=channels, rate_hz=rate_hz)
    portaudio = FakePortAudio([device], accepts=lambda rate, count: (rate, count) == (rate_hz, channels))
    portaudio.on_open = lambda stream: stream.give(next(blocks))
    listener = Listener([kws.load("activate")])
    found: list[kws.Detection] = []
    for item in steady(portaudio):
        assert not isinstance(item, Gap)
        found += listener.feed(item).detections
        block = next(blocks, None)
        if block is None:
            break
        portaudio.streams[-1].give(block)
    assert [each.word for each in found] == [each.word for each in expected]
    assert [each.time for each in found] == pytest.approx([each.time for each in expected], abs=0.04)
    assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=0.05)
