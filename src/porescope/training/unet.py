"""The network: two small U-Nets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from porescope.network.model import MODES


class Net(nn.Module):
    """Two small U-Nets, one for dark field and one for BF and HRTEM: each learns its own contrast alone."""

    def __init__(self, channels: Sequence[int], norm: bool = True) -> None:
        super().__init__()
        self.halves = nn.ModuleList(Half(channels, norm) for _ in range(2))

    def forward(self, image: Tensor, about: Tensor) -> Tensor:
        """Logits of shape (B, 2, M, N) of images (B, 2, M, N) of one half's modes, about (B, modes)."""
        return self.halves[find_half(about[0])](image, about)


def find_half(about: Tensor | NDArray[np.float32]) -> int:
    """Which half of the network sees an image: 0 in dark field, else 1."""
    return int(about[:-1].any())


class Half(nn.Module):
    """A small U-Net on pixels taken 2 × 2 together: image, what is known of it → pore, unusable."""

    def __init__(self, channels: Sequence[int], norm: bool = True) -> None:
        super().__init__()
        ins = [2 * 4 + len(MODES), *channels[:-1]]
        self.down = nn.ModuleList(_double(i, o, norm) for i, o in zip(ins, channels, strict=True))
        pairs = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.up = nn.ModuleList(_double(below + here, here, norm) for below, here in pairs)
        self.head = nn.Conv2d(channels[0], 8, 1)

    def forward(self, image: Tensor, about: Tensor) -> Tensor:
        """Logits, as `Net` gives them."""
        x = functional.pixel_unshuffle(image, 2)
        planes = about[:, :, None, None] + torch.zeros_like(x[:, :1])
        x = torch.cat([x, planes], 1)
        kept = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else functional.max_pool2d(x, 2))
            kept.append(x)
        for block, beside in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0), beside], 1))
        return functional.pixel_shuffle(self.head(x), 2)


def _double(ins: int, outs: int, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in (ins, outs):
        layers += [
            nn.Conv2d(i, outs, 3, padding=1),
            nn.BatchNorm2d(outs) if norm else nn.Identity(),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
