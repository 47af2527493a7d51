"""The log-mel is librosa's, its torch twin is it, and its stream is the whole.

S samples, T frames, M mel bands.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kws.audio import RATE_HZ, Samples
from kws.config import FrontEnd
from kws.features import LogMel, LogMelStream, as_samples, hann, mel_filters
from kws.torch_front_end import TorchLogMel

FRONT_ENDS = [
    pytest.param(FrontEnd(), id="default"),
    pytest.param(FrontEnd(window_s=0.025, hop_s=0.020, bands=32, low_hz=125, high_hz=7500), id="other"),
]


ROUNDING = 1e-5
"""The filters are one matrix product, whose last bit depends on how many frames there are at once."""


def speech_like(seconds: float, seed: int = 3) -> Samples:
    """Gliding harmonics that come and go in syllables, over noise at -60 dBFS, as in a quiet room."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(rng.uniform(90, 220) * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * time_s))) / RATE_HZ
    voice = np.sum([np.sin(k * phase) / k for k in range(1, 30)], axis=0)
    syllables = np.clip(np.sin(2 * np.pi * 3 * time_s), 0, None)
    return (0.2 * voice * syllables + rng.normal(0, 1e-3, len(time_s))).astype(np.float32)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_filters_are_librosas(front_end: FrontEnd) -> None:
    import librosa

    theirs = librosa.filters.mel(
        sr=front_end.rate_hz, n_fft=front_end.window, n_mels=front_end.bands, fmin=front_end.low_hz,
        fmax=front_end.high_hz, htk=True, norm=None,
    )  # fmt: skip
    np.testing.assert_allclose(mel_filters(front_end), theirs.T, atol=1e-5)


def test_the_window_is_scipys() -> None:
    import scipy.signal

    np.testing.assert_allclose(hann(512), scipy.signal.get_window("hann", 512), atol=1e-6)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_log_mel_is_librosas(front_end: FrontEnd) -> None:
    import librosa

    samples = speech_like(4)
    power = librosa.feature.melspectrogram(
        y=samples, sr=front_end.rate_hz, n_fft=front_end.window, hop_length=front_end.hop, window="hann", center=False,
        power=2.0, n_mels=front_end.bands, fmin=front_end.low_hz, fmax=front_end.high_hz, htk=True, norm=None,
    )  # fmt: skip
    theirs = np.log(power.T + front_end.floor)
    ours = LogMel(front_end)(samples)
    assert ours.shape == theirs.shape == (front_end.frames(len(samples)), front_end.bands)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_torch_twin_is_the_log_mel(front_end: FrontEnd) -> None:
    clips = np.stack([speech_like(3, seed) for seed in range(4)])
    twin = TorchLogMel(front_end)(torch.from_numpy(clips)).numpy()
    ours = np.stack([LogMel(front_end)(clip) for clip in clips])
    assert twin.shape == ours.shape
    np.testing.assert_allclose(twin, ours, atol=1e-4)


def test_the_torch_twin_stays_close_where_a_loud_tone_stands_over_digital_silence() -> None:
    """Rounding in the loud band spills into bands at the floor: the worst case for float32."""
    tone = (0.99 * np.sin(2 * np.pi * 300 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
    tone[RATE_HZ // 2 :] = 0
    twin = TorchLogMel(FrontEnd())(torch.from_numpy(tone)[None])[0].numpy()
    np.testing.assert_allclose(twin, LogMel(FrontEnd())(tone), atol=5e-3)


@pytest.mark.parametrize("count", [0, 1, 511, 512, 671, 672])
def test_the_torch_twin_gives_as_many_frames_as_there_are_whole_windows(count: int) -> None:
    samples = speech_like(1)[:count]
    twin = TorchLogMel(FrontEnd())(torch.from_numpy(samples)[None])
    assert twin.shape == (1, FrontEnd().frames(count), FrontEnd().bands) == (1, *LogMel(FrontEnd())(samples).shape)


@settings(max_examples=60, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 2 * RATE_HZ), max_size=40),
    front_end=st.sampled_from([p.values[0] for p in FRONT_ENDS]),
)
def test_the_stream_equals_the_whole_however_it_is_cut(cuts: list[int], front_end: FrontEnd) -> None:
    samples, log_mel = speech_like(2), LogMel(front_end)
    stream = LogMelStream(log_mel)
    streamed = np.concatenate([stream.feed(chunk) for chunk in np.split(samples, sorted(cuts))])
    np.testing.assert_allclose(streamed, log_mel(samples), atol=ROUNDING)


def test_the_stream_takes_single_samples() -> None:
    samples, log_mel = speech_like(0.1), LogMel(FrontEnd())
    stream = LogMelStream(log_mel)
    streamed = np.concatenate([stream.feed(sample) for sample in samples[:, None]])
    np.testing.assert_allclose(streamed, log_mel(samples), atol=ROUNDING)


def test_a_frame_depends_on_its_own_window_only() -> None:
    samples, log_mel, front_end = speech_like(1), LogMel(FrontEnd()), FrontEnd()
    changed = samples.copy()
    changed[30 * front_end.hop + front_end.window :] = 0.5
    changed[: 30 * front_end.hop] = -0.5
    np.testing.assert_array_equal(log_mel(changed)[30], log_mel(samples)[30])


def test_int16_samples_give_the_frames_of_the_floats_they_stand_for() -> None:
    whole = np.round(speech_like(1) * 32768).astype(np.int16)
    log_mel = LogMel(FrontEnd())
    frames = LogMelStream(log_mel).feed(whole)
    np.testing.assert_array_equal(frames, log_mel(as_samples(whole)))


def test_it_is_the_same_to_the_last_bit_however_many_threads_a_process_has() -> None:
    program = (
        "import numpy, zlib; from kws.config import FrontEnd; from kws.features import LogMel;"
        "noise = numpy.random.default_rng(3).standard_normal(30_000).astype(numpy.float32);"
        "print(zlib.crc32(LogMel(FrontEnd())(noise).tobytes()))"
    )
    found = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
        found.add(
            subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True).stdout
        )
    assert len(found) == 1


def test_a_changed_front_end_has_another_digest() -> None:
    assert LogMel(FrontEnd()).digest == LogMel(FrontEnd()).digest
    assert LogMel(FrontEnd()).digest != LogMel(FrontEnd(high_hz=7500)).digest
