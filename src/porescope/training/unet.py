"""The network: two small U-Nets, one for HAADF and one for BF, ABF and HRTEM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from porescope.network import MODES

#: Number of views of an image, as `views.present` makes them.
VIEWS = 3


class Net(nn.Module):
    """Two U-Nets of the same shape: one for HAADF, one for BF, ABF and HRTEM, whose contrast differs.

    Parameters
    ----------
    channels : sequence of int
        Channels of a U-Net at each level, finest first.
    norm : bool
        Whether batch normalization follows each convolution.
    """

    def __init__(self, channels: Sequence[int], norm: bool = True) -> None:
        super().__init__()
        self.halves = nn.ModuleList(UNet(channels, norm) for _ in range(2))

    def forward(self, image: Tensor, about: Tensor) -> Tensor:
        """Run the U-Net of the images' modality.

        Parameters
        ----------
        image : Tensor, shape (B, 3, M, N)
            Images as `views.present` makes them, all for the same U-Net.
        about : Tensor, shape (B, modes)
            What the network is told of each image, from `model.describe`.

        Returns
        -------
        Tensor, shape (B, 2, M, N)
            Logits of pore and of unusable sheet.
        """
        return self.halves[find_half(about[0])](image, about)


def find_half(about: Tensor | NDArray[np.float32]) -> int:
    """Tell which of the two U-Nets sees an image.

    Parameters
    ----------
    about : Tensor or ndarray, shape (modes,)
        From `model.describe`.

    Returns
    -------
    int
        0 for HAADF, 1 for BF, ABF and HRTEM.
    """
    return int(about[:-1].any())


class UNet(nn.Module):
    """A small U-Net; blocks of 2 × 2 px become the channels of its first level.

    Parameters
    ----------
    channels : sequence of int
        Channels at each level, finest first.
    norm : bool
        Whether batch normalization follows each convolution.
    """

    def __init__(self, channels: Sequence[int], norm: bool = True) -> None:
        super().__init__()
        ins = [VIEWS * 4 + len(MODES), *channels[:-1]]
        self.down = nn.ModuleList(_make_block(i, o, norm) for i, o in zip(ins, channels, strict=True))
        pairs = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.up = nn.ModuleList(_make_block(coarse + fine, fine, norm) for coarse, fine in pairs)
        self.head = nn.Conv2d(channels[0], 8, 1)

    def forward(self, image: Tensor, about: Tensor) -> Tensor:
        """Run the U-Net.

        Parameters
        ----------
        image : Tensor, shape (B, 3, M, N)
            M and N are multiples of ``2 ** len(channels)``.
        about : Tensor, shape (B, modes)

        Returns
        -------
        Tensor, shape (B, 2, M, N)
            Logits of pore and of unusable sheet.
        """
        x = functional.pixel_unshuffle(image, 2)
        planes = about[:, :, None, None] + torch.zeros_like(x[:, :1])
        x = torch.cat([x, planes], 1)
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1))
        return functional.pixel_shuffle(self.head(x), 2)


def _make_block(ins: int, outs: int, norm: bool) -> nn.Sequential:
    """Two 3 × 3 convolutions, each with batch normalization (if wanted) and ReLU."""
    layers: list[nn.Module] = []
    for i in (ins, outs):
        layers += [
            nn.Conv2d(i, outs, 3, padding=1),
            nn.BatchNorm2d(outs) if norm else nn.Identity(),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
