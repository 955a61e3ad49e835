"""Large images in strips of rows, so that intermediate results stay small beside them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

#: Number of pixels of a strip: a smaller image is one strip.
STRIP = 2**22
#: Number of pixels above which maps of an image are kept in fewer bits.
LARGE = 2**24
#: Minimum height of a strip [px].
_LOWEST = 64


def cut_strips(shape: tuple[int, ...], pixels: int = STRIP) -> list[slice]:
    """Cut an image into strips of about equal height.

    Parameters
    ----------
    shape : tuple of int
        (M, N)
    pixels : int
        Number of pixels of a strip.

    Returns
    -------
    list of slice
        Rows of each strip, at least about 32 of them.

    Examples
    --------
    >>> cut_strips((200, 1000), 100_000)
    [slice(0, 100, None), slice(100, 200, None)]
    """
    count = -(-shape[0] // max(pixels // shape[1], _LOWEST))
    # Even edges, because OpenCV numbers regions by pairs of rows.
    edges = [*(np.linspace(0, shape[0], count + 1)[:-1].astype(int) // 2 * 2).tolist(), shape[0]]
    return [slice(a, b) for a, b in pairwise(edges)]
