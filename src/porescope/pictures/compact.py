"""Pictures for the report: a micrograph in its own pixels, and a vacancy map, in few bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.pictures.greys import stretch

if TYPE_CHECKING:
    from porescope.micrograph import Micrograph

#: Longest side of a picture [px]; larger micrographs are reduced, which browsers need.
_LONGEST = 4096
#: Size of a picture [bytes for each pixel], and the size that even a small one may have [bytes].
_BYTES_A_PIXEL, _LEAST_BYTES = 0.1, 4000
#: Standard deviations of the smoothing [px] with the qualities of the compression: tried in turn until the
#: picture is small enough. Noise takes most of the bytes, and hides the lattice.
_TRIES = ((0.0, (85,)), (1.0, (80, 60, 45, 35, 27, 21, 16, 12)), (1.5, (16, 10)))
#: Value of the vacancy map that is white [standard deviations above noise], and its longest side [px].
_HIGHEST, _MAP_SIDE = 10, 192


def encode_micrograph(micrograph: Micrograph) -> bytes:
    r"""Draw a micrograph in grey, in its own pixels, small enough that hundreds of them fit into one page.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    bytes
        JPEG; smoothed by up to 1.5 px where noise would take too much room. A micrograph of more than 4096 px
        is reduced to that.

    Examples
    --------
    >>> import numpy as np
    >>> from porescope.micrograph import Micrograph
    >>> picture = encode_micrograph(Micrograph(np.eye(40, 20), 0.1))
    >>> picture[:2], len(picture) < 4000
    (b'\xff\xd8', True)
    """
    image = micrograph.filled
    shape = _fit(image.shape, _LONGEST)
    most = max(_BYTES_A_PIXEL * shape[0] * shape[1], _LEAST_BYTES)
    if image.shape != shape:
        small = np.asarray(cv2.resize(np.asarray(image), shape[::-1], interpolation=cv2.INTER_AREA))
    else:
        small = np.array(image, np.float32)
    content, smoothed = b"", 0.0
    for sigma, qualities in _TRIES:
        if sigma > smoothed:  # in its place: a large image takes much memory
            cv2.GaussianBlur(small, (0, 0), (sigma**2 - smoothed**2) ** 0.5, dst=small)
            smoothed = sigma
        gray = stretch(small)
        for quality in qualities:
            content = _encode(gray, quality)
            if len(content) <= most:
                return content
    return content


def encode_vacancies(z: NDArray[np.floating]) -> bytes:
    r"""Draw a vacancy map in grey, from 0 to 10 standard deviations above noise.

    Parameters
    ----------
    z : ndarray of float, shape (M, N)

    Returns
    -------
    bytes
        JPEG of at most 192 px.

    Examples
    --------
    >>> import numpy as np
    >>> encode_vacancies(np.eye(300))[:2]
    b'\xff\xd8'
    """
    shape = _fit(z.shape, _MAP_SIDE)
    small = np.asarray(cv2.resize(np.asarray(z, np.float32), shape[::-1], interpolation=cv2.INTER_AREA))
    return _encode(np.clip(np.nan_to_num(small) * (255 / _HIGHEST), 0, 255).astype(np.uint8), 40)


def _fit(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    zoom = min(1.0, longest / max(shape))
    return max(1, round(shape[0] * zoom)), max(1, round(shape[1] * zoom))


def _encode(gray: NDArray[np.uint8], quality: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return bytes(cv2.imencode(".jpg", gray, options)[1].tobytes())
