"""Devices: what a microphone and all that lies behind it do to sound, from its colour to the codec.

A device is a value; `heard` applies it without a choice of its own and without delay, so that labels stay true.
S samples, N 10 ms frames.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kws.audio import RATE_HZ, Samples, amplitude
from kws.errors import Failure
from synth.noises import white_noise
from synth.rooms import convolved

Range = tuple[float, float]
CodecName = Literal["opus", "mp3"]

_FORMATS = {"opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")}
HALF_TAPS = 128
FRAME = RATE_HZ // 100
SILENT_DB = -120.0
GATE_HOLD, GATE_AHEAD = 20, 3
"""Frames for which a gate stays open behind the sound, and opens before it."""
TELEPHONE_HZ = (300.0, 3400.0)
MU = np.float32(255)
LOG_MU = np.log1p(MU)


@dataclass(frozen=True, kw_only=True)
class Levelling:
    """An automatic gain control: down at once, up slowly."""

    target_db: float
    """RMS that it drives loud frames to."""
    most_db: float
    """Greatest gain, either way."""
    release_db_s: float


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A lossy coding."""

    name: CodecName
    packing: float
    """libsndfile's compression level: 0 large, 1 small; for Opus 256 - 250 x this in kbit/s."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the sound goes through, in this order."""

    tilt_db: float = 0.0
    """Slope of its colour from 100 Hz to 8 kHz, about 900 Hz."""
    band_hz: Range = (0.0, RATE_HZ / 2)
    floor_db: float | None = None
    """RMS of its own noise; None is digital silence."""
    seed: int = 0
    """Of its own noise."""
    overload_db: float = 0.0
    """How far the highest peak would stand over the limit, where it is cut."""
    levelling: Levelling | None = None
    gate_db: float | None = None
    """What is so far below the loudest frame is muted."""
    telephone: bool = False
    """300 to 3400 Hz at 8 kHz in 8 bits of mu-law."""
    codec: Codec | None = None
    offset: float = 0.0
    """Added to every sample: a DC offset."""

    @property
    def taps(self) -> NDArray[np.float32] | None:
        """The filter of its colour and band, symmetric about its middle tap; None if it has neither."""
        if self.tilt_db or self.band_hz != Device.band_hz:
            return taps_of(self.tilt_db, self.band_hz)
        return None

    def about(self) -> dict[str, Any]:
        """What a manifest says of it: only what it does."""
        said: dict[str, Any] = {"floor_db": self.floor_db and round(self.floor_db, 1)}
        said |= {"tilt_db": round(self.tilt_db, 1)} if self.tilt_db else {}
        said |= {"band_hz": [round(edge) for edge in self.band_hz]} if self.band_hz != (0.0, RATE_HZ / 2) else {}
        said |= {"overload_db": round(self.overload_db, 1)} if self.overload_db else {}
        said |= {"levelled_to_db": round(self.levelling.target_db, 1)} if self.levelling else {}
        said |= {"gate_db": round(self.gate_db, 1)} if self.gate_db is not None else {}
        said |= {"telephone": True} if self.telephone else {}
        said |= {"codec": self.codec.name, "packing": round(self.codec.packing, 2)} if self.codec else {}
        return said | ({"offset": round(self.offset, 4)} if self.offset else {})


@dataclass(frozen=True, kw_only=True)
class DeviceRanges:
    """What a device is drawn from: shares, levels in decibels, frequencies in Hertz."""

    floor_db: Range = (-90.0, -60.0)
    no_floor: float = 0.08
    """Share of devices without noise of their own: between sounds there are zeros."""
    tilt_db: Range = (-9.0, 9.0)
    band_limited: float = 0.2
    low_cut_hz: Range = (20.0, 250.0)
    high_cut_hz: Range = (3300.0, 7000.0)
    overloaded: float = 0.06
    overload_db: Range = (3.0, 15.0)
    levelled: float = 0.12
    target_db: Range = (-30.0, -12.0)
    most_db: Range = (10.0, 30.0)
    release_db_s: Range = (3.0, 30.0)
    gated: float = 0.07
    gate_db: Range = (35.0, 50.0)
    telephone: float = 0.04
    coded: tuple[tuple[CodecName, float], ...] = (("opus", 0.01), ("mp3", 0.03))
    """Few, since coding is dear and what banks and recordings hold is coded already."""
    packing: Range = (0.85, 0.98)
    offset: float = 0.1
    most_offset: float = 0.01


HOME = DeviceRanges()
"""What people have at home."""
NEUTRAL = DeviceRanges(
    floor_db=(-120.0, -119.0), no_floor=0, tilt_db=(0.0, 0.0), band_limited=0, overloaded=0, levelled=0, gated=0,
    telephone=0, coded=(), offset=0,
)  # fmt: skip
"""Devices that only listen."""


def draw_device(rng: np.random.Generator, ranges: DeviceRanges) -> Device:
    """Draw a device."""
    floor_db, tilt_db, seed = rng.uniform(*ranges.floor_db), rng.uniform(*ranges.tilt_db), int(rng.integers(2**31))
    band_hz = (rng.uniform(*ranges.low_cut_hz), rng.uniform(*ranges.high_cut_hz))
    levelling = Levelling(
        target_db=rng.uniform(*ranges.target_db), most_db=rng.uniform(*ranges.most_db),
        release_db_s=rng.uniform(*ranges.release_db_s),
    )  # fmt: skip
    overload_db, gate_db = rng.uniform(*ranges.overload_db), rng.uniform(*ranges.gate_db)
    offset = rng.uniform(-ranges.most_offset, ranges.most_offset)
    no_floor, limited, overloaded, levelled, gated, telephone, shifted = rng.random(7) < (
        ranges.no_floor, ranges.band_limited, ranges.overloaded, ranges.levelled, ranges.gated, ranges.telephone,
        ranges.offset,
    )  # fmt: skip
    return Device(
        tilt_db=tilt_db, band_hz=band_hz if limited else Device.band_hz, floor_db=None if no_floor else floor_db,
        seed=seed, overload_db=overload_db if overloaded else 0.0, levelling=levelling if levelled else None,
        gate_db=gate_db if gated else None, telephone=bool(telephone), codec=_draw_codec(rng, ranges),
        offset=offset if shifted else 0.0,
    )  # fmt: skip


def _draw_codec(rng: np.random.Generator, ranges: DeviceRanges) -> Codec | None:
    packing, dice = rng.uniform(*ranges.packing), rng.random()
    for name, share in ranges.coded:
        if dice < share:
            return Codec(name=name, packing=packing)
        dice -= share
    return None


def heard(samples: Samples, device: Device) -> Samples:
    """What comes out of a device (S,): nothing is later than it was, and nothing beyond full scale."""
    if (taps := device.taps) is not None:
        samples = _filtered(samples, taps)
    if device.floor_db is not None:
        samples = samples + white_noise(device.seed, len(samples)) * np.float32(amplitude(device.floor_db))
    if device.overload_db:
        limit = float(np.abs(samples).max()) * amplitude(-device.overload_db)
        samples = np.clip(samples, -limit, limit)
    if device.levelling:
        samples = levelled(samples, device.levelling)
    if device.gate_db is not None:
        samples = gated(samples, device.gate_db)
    if device.telephone:
        samples = telephoned(samples)
    if device.codec:
        samples = coded(samples, device.codec)
    return np.asarray(np.clip(samples + np.float32(device.offset), -1, 1), np.float32)


def levelled(samples: Samples, levelling: Levelling) -> Samples:
    """Samples (S,) whose loud frames are driven to a level: gain falls with the frame before, and recovers slowly."""
    level_db = _frame_levels_db(samples)
    recovered_db = np.arange(len(level_db)) * levelling.release_db_s * FRAME / RATE_HZ
    peak_db = np.maximum.accumulate(level_db + recovered_db) - recovered_db
    gain_db = np.clip(levelling.target_db - peak_db, -levelling.most_db, levelling.most_db)
    return _scaled(samples, 10 ** (gain_db / 20))


def gated(samples: Samples, gate_db: float) -> Samples:
    """Samples (S,) with zeros wherever no frame near by is within so many decibels of the loudest."""
    level_db = _frame_levels_db(samples)
    number = np.arange(len(level_db))
    sounds = level_db > max(level_db.max() - gate_db, SILENT_DB)
    since = number - np.maximum.accumulate(np.where(sounds, number, -len(number)))
    until = np.minimum.accumulate(np.where(sounds, number, 2 * len(number))[::-1])[::-1] - number
    return _scaled(samples, ((since <= GATE_HOLD) | (until <= GATE_AHEAD)).astype(np.float64))


def telephoned(samples: Samples) -> Samples:
    """Samples (S,) as an 8 kHz telephone line carries them: its band, and 8 bits of mu-law (ITU-T G.711)."""
    narrow = np.clip(_filtered(samples, taps_of(0.0, TELEPHONE_HZ))[::2], -1, 1)
    packed = np.round(np.sign(narrow) * np.log1p(MU * np.abs(narrow)) * (127 / LOG_MU)) / 127
    wide = np.zeros(len(samples), np.float32)
    wide[::2] = 2 * np.sign(packed) * np.expm1(np.abs(packed) * LOG_MU) / MU
    return _filtered(wide, taps_of(0.0, (0.0, TELEPHONE_HZ[1])))


def coded(samples: Samples, codec: Codec) -> Samples:
    """Samples (S,) after lossy coding and decoding. Raises Failure if libsndfile lacks the codec."""
    import soundfile

    container, subtype = _FORMATS[codec.name]
    packed = io.BytesIO()
    try:
        soundfile.write(
            packed, np.clip(samples, -1, 1), RATE_HZ, format=container, subtype=subtype,
            compression_level=codec.packing,
        )  # fmt: skip
        packed.seek(0)
        decoded = soundfile.read(packed, dtype="float32")[0]
    except (soundfile.LibsndfileError, ValueError) as error:
        raise Failure(
            f"libsndfile here cannot code {codec.name} ({error}): upgrade it with pip install --upgrade soundfile."
        ) from error
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))[: len(samples)]


def taps_of(tilt_db: float, band_hz: Range) -> NDArray[np.float32]:
    """A filter of no delay: symmetric about its middle tap."""
    frequency_hz = np.linspace(0, RATE_HZ / 2, HALF_TAPS + 1)
    octaves = np.log2(np.maximum(frequency_hz, 100) / 900)
    gain = 10 ** (tilt_db * octaves / 6.3 / 20) * (frequency_hz >= band_hz[0]) * (frequency_hz <= band_hz[1])
    response = np.fft.irfft(gain)
    taps = np.concatenate((response[-HALF_TAPS:], response[: HALF_TAPS + 1])) * np.hanning(2 * HALF_TAPS + 1)
    return taps.astype(np.float32)


def _filtered(samples: Samples, taps: NDArray[np.float32]) -> Samples:
    return convolved(np.pad(samples, (0, HALF_TAPS)), taps)[HALF_TAPS:]


def _frame_levels_db(samples: Samples) -> NDArray[np.float64]:
    """RMS (N,) of each 10 ms frame in decibels, the last one filled up with zeros."""
    power = np.square(np.pad(samples, (0, -len(samples) % FRAME))).reshape(-1, FRAME).mean(axis=1, dtype=np.float64)
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (SILENT_DB / 10))))


def _scaled(samples: Samples, gains: NDArray[np.float64]) -> Samples:
    """Samples (S,) times a gain for each frame (N,), risen or fallen to by when the frame begins."""
    gain, coming = gains.astype(np.float32), np.append(gains[1:], gains[-1:]).astype(np.float32)
    ramp = np.linspace(0, 1, FRAME, endpoint=False, dtype=np.float32)
    return samples * (gain[:, None] + (coming - gain)[:, None] * ramp).ravel()[: len(samples)]
