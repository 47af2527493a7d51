"""Scenes mixed on a GPU, many at once: the twin of `synth.stage`, which is the one that counts, and checked against it.

Rooms, noises, levels and the device are applied to whole batches; what is spoken, read or composed comes as parts from
workers. B scenes, N noises, S samples, R of a response, F 10 ms frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kws.audio import EDGE_FRAME, EDGE_RANGE_DB, RATE_HZ, Samples, amplitude
from kws.torchaudio_compat import import_torchaudio
from synth.devices import (
    FRAME,
    GATE_AHEAD,
    GATE_HOLD,
    HALF_TAPS,
    LOG_MU,
    MU,
    SILENT_DB,
    TELEPHONE_HZ,
    Device,
    taps_of,
)
from synth.noises import log_hz, white_begin, white_table
from synth.parts import Parts
from synth.stage import AUDIBLE, FAINTEST, judged

_UNCHANGED = np.eye(1, 2 * HALF_TAPS + 1, HALF_TAPS, np.float32).ravel()
"""Taps that change nothing."""


class Batch(NamedTuple):
    """The parts of some scenes of one length, as tensors, which go from process to process without being copied."""

    dry: Tensor
    """(B, S)."""
    response: Tensor
    """(B, R) from mouth to microphone."""
    span: Tensor
    """The first sample, and the first one behind (B, 2), of the word by which noises are set; both 0 for none."""
    level: Tensor
    """Amplitude (B,) by which they are set without one."""
    whole: Tensor
    """Whether `dry` is the take already (B,)."""
    owner: Tensor
    """The scene (N,) of each noise, those that are coloured last."""
    sound: Tensor
    """(N - coloured, S)."""
    begin: Tensor
    """Where in the table the white noise of the coloured ones begins (coloured,)."""
    colour: Tensor
    """(coloured,)."""
    place: Tensor
    """(N, R) from each noise to the microphone."""
    noise: Tensor
    """Amplitude (N,) of each over the speech."""
    taps: Tensor
    """Of the device (B, taps)."""
    floor_begin: Tensor
    """Where its own noise begins in the table (B,)."""
    floor: Tensor
    """Amplitude (B,) of that."""
    limit: Tensor
    """Part of the highest peak (B,) beyond which it cuts."""
    levelling: Tensor
    """Target, most and release (B, 3) in decibels; NaN for none."""
    gate_db: Tensor
    """(B,), infinite for none."""
    telephone: Tensor
    """(B,)."""
    offset: Tensor
    """(B,)."""


def collated(parts: Sequence[Parts]) -> Batch:
    """The parts of some scenes of one length as one batch."""
    layers = [(number, layer) for number, each in enumerate(parts) for layer in each.layers]
    layers.sort(key=lambda pair: pair[1].sound is None)  # stable
    coloured = [layer for _, layer in layers if layer.sound is None]
    total = len(parts[0].dry)
    spans = [judged(each.events) or slice(0, 0) for each in parts]
    devices = [each.device or Device() for each in parts]
    levelling = [device.levelling for device in devices]
    return Batch(
        dry=_stacked([each.dry for each in parts], total), response=_stacked([each.response for each in parts]),
        span=torch.tensor([[span.start, span.stop] for span in spans]),
        level=_row([amplitude(each.level_db) for each in parts]),
        whole=torch.tensor([each.device is None for each in parts]),
        owner=torch.tensor([number for number, _ in layers], dtype=torch.int64),
        sound=_stacked([layer.sound for _, layer in layers if layer.sound is not None], total),
        begin=torch.tensor([layer.begin for layer in coloured], dtype=torch.int64),
        colour=_row([layer.colour for layer in coloured]), place=_stacked([layer.response for _, layer in layers]),
        noise=_row([amplitude(-layer.snr_db) for _, layer in layers]),
        taps=_stacked([_UNCHANGED if (taps := device.taps) is None else taps for device in devices]),
        floor_begin=torch.tensor([white_begin(device.seed, total) or 0 for device in devices]),
        floor=_row([0.0 if device.floor_db is None else amplitude(device.floor_db) for device in devices]),
        limit=_row([amplitude(-device.overload_db) for device in devices]),
        levelling=torch.tensor(
            [[each.target_db, each.most_db, each.release_db_s] if each else [np.nan] * 3 for each in levelling]
        ),
        gate_db=_row([np.inf if device.gate_db is None else device.gate_db for device in devices]),
        telephone=torch.tensor([device.telephone for device in devices]),
        offset=_row([device.offset for device in devices]),
    )  # fmt: skip


class Mixer:
    """Mixes batches on one device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._white = torch.from_numpy(white_table()).to(device)

    def __call__(self, batch: Batch) -> Tensor:
        """What comes out of each scene's microphone (B, S)."""
        batch = Batch(*(part.to(self.device, non_blocking=True) for part in batch))
        speech = convolved(batch.dry, batch.response)
        sound = speech.index_add(0, batch.owner, self._noises(batch, speech))
        return torch.where(batch.whole[:, None], batch.dry, self._heard(sound, batch))

    def _noises(self, batch: Batch, speech: Tensor) -> Tensor:
        """Every noise (N, S) in its place, at its level."""
        total = speech.shape[1]
        sound = convolved(torch.cat((batch.sound, self._coloured(batch, total))), batch.place)
        span = batch.span[batch.owner]
        number = torch.arange(total, device=self.device)
        whole = span[:, 1:] == 0
        across = ((number >= span[:, :1]) & (number < span[:, 1:])) | whole
        there = (sound.square() * across).sum(dim=1).div(across.sum(dim=1)).sqrt()
        there = torch.maximum(there, AUDIBLE * sound.square().mean(dim=1).sqrt()).clamp(min=FAINTEST)
        loud = torch.where(batch.span[:, 1] == 0, batch.level, active_rms(speech, batch.span))[batch.owner]
        return sound * (loud / there * batch.noise)[:, None]

    def _coloured(self, batch: Batch, total: int) -> Tensor:
        white = self._stretches(batch.begin, total)
        if not len(white):
            return white
        shape = torch.exp(batch.colour[:, None] / 2 * torch.from_numpy(log_hz(total)).to(self.device))
        made: Tensor = torch.fft.irfft(torch.fft.rfft(white) * shape, total)
        return made

    def _heard(self, sound: Tensor, batch: Batch) -> Tensor:
        sound = filtered(sound, batch.taps)
        sound = sound + self._stretches(batch.floor_begin, sound.shape[1]) * batch.floor[:, None]
        limit = sound.abs().amax(dim=1, keepdim=True) * batch.limit[:, None]
        sound = sound.clamp(-limit, limit)
        sound = torch.where(batch.levelling[:, :1].isnan(), sound, levelled(sound, batch.levelling.nan_to_num(1.0)))
        sound = torch.where(batch.gate_db[:, None].isinf(), sound, gated(sound, batch.gate_db))
        sound = torch.where(batch.telephone[:, None], telephoned(sound), sound)
        return (sound + batch.offset[:, None]).clamp(-1, 1)

    def _stretches(self, begin: Tensor, total: int) -> Tensor:
        """White noise (B, S) from those places of the table on."""
        return self._white[begin[:, None] + torch.arange(total, device=self.device)]


def convolved(sound: Tensor, response: Tensor) -> Tensor:
    """The first S samples of convolutions of (B, S) with (B, R)."""
    import scipy.fft

    if not len(sound):
        return sound  # not every Fourier transform does with nothing
    total = sound.shape[1]
    size = scipy.fft.next_fast_len(total + response.shape[1] - 1, real=True)
    padded = functional.pad(response, (0, size + 1 - total - response.shape[1]))
    whole: Tensor = import_torchaudio().functional.fftconvolve(sound, padded)
    return whole[:, :total]


def filtered(sound: Tensor, taps: Tensor) -> Tensor:
    """Sound (B, S) through filters (B, taps) that are symmetric about their middle tap, without delay."""
    return convolved(functional.pad(sound, (0, HALF_TAPS)), taps)[:, HALF_TAPS:]


def active_rms(sound: Tensor, span: Tensor) -> Tensor:
    """Of each span (B, 2) of (B, S) the RMS (B,) over the frames within 30 dB of its loudest."""
    count = ((span[:, 1] - span[:, 0]) // EDGE_FRAME).clamp(min=1)
    most = sound.shape[1] // EDGE_FRAME
    place = span[:, :1] + torch.arange(most * EDGE_FRAME, device=sound.device)
    frames = sound.gather(1, place.clamp(max=sound.shape[1] - 1)).reshape(len(sound), most, EDGE_FRAME)
    there = torch.arange(most, device=sound.device) < count[:, None]
    power = frames.square().mean(dim=2).masked_fill(~there, 0)
    loud = there & (power >= power.amax(dim=1, keepdim=True) * amplitude(-EDGE_RANGE_DB) ** 2)
    return ((power * loud).sum(dim=1) / loud.sum(dim=1)).sqrt()


def levelled(sound: Tensor, levelling: Tensor) -> Tensor:
    """Sound (B, S) whose loud frames are driven to a level, by target, most and release (B, 3)."""
    target, most, release = levelling[:, :, None].unbind(dim=1)
    level_db = _frame_levels_db(sound)
    recovered_db = torch.arange(level_db.shape[1], device=sound.device) * (release * FRAME / RATE_HZ)
    peak_db = (level_db + recovered_db).cummax(dim=1).values - recovered_db
    return _scaled(sound, 10 ** (torch.minimum(torch.maximum(target - peak_db, -most), most) / 20))


def gated(sound: Tensor, gate_db: Tensor) -> Tensor:
    """Sound (B, S) with zeros wherever no frame near by is within so many decibels (B,) of the loudest."""
    level_db = _frame_levels_db(sound)
    count = level_db.shape[1]
    number = torch.arange(count, device=sound.device).expand_as(level_db)
    least_db = (level_db.amax(dim=1) - gate_db).clamp(min=SILENT_DB)
    sounds = level_db > least_db[:, None]
    since = number - torch.where(sounds, number, -count).cummax(dim=1).values
    until = torch.where(sounds, number, 2 * count).flip(1).cummin(dim=1).values.flip(1) - number
    return _scaled(sound, ((since <= GATE_HOLD) | (until <= GATE_AHEAD)).float())


def telephoned(sound: Tensor) -> Tensor:
    """Sound (B, S) as an 8 kHz telephone line carries it: its band, and 8 bits of mu-law (ITU-T G.711)."""
    mu, log_mu = float(MU), float(LOG_MU)
    band, low = (_like(taps_of(0.0, band_hz), sound) for band_hz in (TELEPHONE_HZ, (0.0, TELEPHONE_HZ[1])))
    narrow = filtered(sound, band)[:, ::2].clamp(-1, 1)
    packed = torch.round(narrow.sign() * torch.log1p(mu * narrow.abs()) * (127 / log_mu)) / 127
    wide = torch.zeros_like(sound)
    wide[:, ::2] = 2 * packed.sign() * torch.expm1(packed.abs() * log_mu) / mu
    return filtered(wide, low)


def _frame_levels_db(sound: Tensor) -> Tensor:
    """RMS (B, F) of each frame in decibels, the last one filled up with zeros."""
    power = functional.pad(sound, (0, -sound.shape[1] % FRAME)).reshape(len(sound), -1, FRAME).square().mean(dim=2)
    return 10 * power.clamp(min=10 ** (SILENT_DB / 10)).log10()


def _scaled(sound: Tensor, gain: Tensor) -> Tensor:
    """Sound (B, S) times a gain for each frame (B, F), risen or fallen to by when the frame begins."""
    coming = torch.cat((gain[:, 1:], gain[:, -1:]), dim=1)
    ramp = torch.arange(FRAME, device=sound.device) / FRAME
    gains = gain[:, :, None] + (coming - gain)[:, :, None] * ramp
    return sound * gains.flatten(1)[:, : sound.shape[1]]


def _like(taps: NDArray[np.float32], sound: Tensor) -> Tensor:
    return torch.from_numpy(taps).to(sound.device).expand(len(sound), -1)


def _stacked(rows: Sequence[Samples], least: int = 1) -> Tensor:
    """Rows (B, at least so many), filled up with zeros."""
    stacked = np.zeros((len(rows), max([least, *map(len, rows)])), np.float32)
    for place, row in zip(stacked, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(stacked)


def _row(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)
