"""The log-mel's torch twin, for batches on a GPU; checked against kws.features, which is the one that counts.

B clips, S samples, T frames, M mel bands.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kws.config import FrontEnd
from kws.torchaudio_compat import import_torchaudio


class TorchLogMel(nn.Module):
    """Log-mel of whole clips, on whichever device the module was moved to."""

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__()
        self.front_end = front_end
        self._mel = import_torchaudio().transforms.MelSpectrogram(
            sample_rate=front_end.rate_hz,
            n_fft=front_end.window,
            win_length=front_end.window,
            hop_length=front_end.hop,
            f_min=front_end.low_hz,
            f_max=front_end.high_hz,
            n_mels=front_end.bands,
            power=2.0,
            center=False,
            norm=None,
            mel_scale="htk",
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Log-mel (B, T, M) of (B, S) samples; T is 0 for clips shorter than a window."""
        if samples.shape[-1] < self.front_end.window:
            return samples.new_zeros(samples.shape[0], 0, self.front_end.bands)
        power: Tensor = self._mel(samples)
        return torch.log(power + self.front_end.floor).transpose(1, 2)
