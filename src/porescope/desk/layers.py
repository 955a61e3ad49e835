"""Micrographs and what was found in them as layers of napari, in nanometres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.files import ReadError
from porescope.micrograph import Micrograph
from porescope.reading import open_images

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: Layers, from below to above, by what they show.
IMAGE, VACANCIES, CANDIDATES, RECIPE, PORES, MARK = (
    "image", "vacancy map", "candidates", "recipe", "pores", "chosen",
)  # fmt: skip
LAYERS = (IMAGE, VACANCIES, CANDIDATES, RECIPE, PORES, MARK)
#: Shares of the grey levels that the display leaves out at either end.
_CLIPPED = (0.1, 99.9)
#: Range of the vacancy map that is shown: noise ends near 4.5, single vacancies begin there [sigma].
_SHOWN_SIGMA = (3.0, 10.0)


def place_layer(pixel_size: tuple[float, float], stacked: bool) -> dict[str, Any]:
    """Give the options of a layer that lie in its scale.

    Parameters
    ----------
    pixel_size : tuple of float
        (row, column) [nm].
    stacked : bool
        Whether the layer has a first axis that counts frames.

    Returns
    -------
    dict
        ``scale`` and ``units``.

    Examples
    --------
    >>> place_layer((0.04, 0.05), stacked=True)
    {'scale': (1.0, 0.04, 0.05), 'units': ('pixel', 'nm', 'nm')}
    """
    if stacked:
        return {"scale": (1.0, *pixel_size), "units": ("pixel", "nm", "nm")}
    return {"scale": tuple(pixel_size), "units": ("nm", "nm")}


def stack_images(read: Callable[[int], Micrograph], count: int, first: Micrograph) -> Any:
    """Give the images of a file as one array, of which a frame is read when it is looked at.

    Parameters
    ----------
    read : callable
        Takes the number of an image and reads it.
    count : int
        Number of images.
    first : Micrograph
        The first of them.

    Returns
    -------
    ndarray of float32, shape (M, N), or dask array, shape (K, M, N)
        Images of another shape than the first are empty.
    """
    if count == 1:
        return first.filled
    import dask.array as da

    shape = first.image.shape

    def read_frame(block_info: Mapping[Any, Any]) -> NDArray[np.float32]:
        frame = int(block_info[None]["chunk-location"][0])
        try:
            image = read(frame).filled
        except (ValueError, OSError):  # a damaged frame; finding its pores says what is wrong
            image = np.zeros(shape, np.float32)
        return (image if image.shape == shape else np.zeros(shape, np.float32))[None]

    chunks = ((1,) * count, (shape[0],), (shape[1],))
    return da.map_blocks(read_frame, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))


def choose_contrast(image: NDArray[np.float32]) -> tuple[float, float]:
    """Choose the grey levels that are shown black and white.

    Parameters
    ----------
    image : ndarray, shape (M, N)

    Returns
    -------
    tuple of float
        The second is above the first.
    """
    step = max(1, int(np.sqrt(image.size / 250_000)))
    low, high = (float(v) for v in np.percentile(image[::step, ::step], _CLIPPED))
    return (low, high) if high > low else (low, low + 1)


def describe_image(image: Any, first: Micrograph) -> dict[str, Any]:
    """Give the options of the layer of a micrograph or a stack.

    Parameters
    ----------
    image : array, shape (M, N) or (K, M, N)
    first : Micrograph

    Returns
    -------
    dict
    """
    return {
        "name": IMAGE, "colormap": "gray", "contrast_limits": choose_contrast(first.filled),
        **place_layer(first.pixel_size, image.ndim == 3),
    }  # fmt: skip


def add_layers(viewer: Viewer, image: Any, first: Micrograph) -> dict[str, Any]:
    """Add the layers of a file, empty but for its images.

    Parameters
    ----------
    viewer : Viewer
    image : array, shape (M, N) or (K, M, N)
        As `stack_images` gives it.
    first : Micrograph

    Returns
    -------
    dict of Layer
        By the names in `LAYERS`, and in their order.
    """
    where = place_layer(first.pixel_size, False)
    nothing = partial(np.zeros, first.image.shape)
    return {
        IMAGE: viewer.add_image(image, **describe_image(image, first)),
        VACANCIES: viewer.add_image(
            nothing(np.float32), name=VACANCIES, colormap="inferno", contrast_limits=_SHOWN_SIGMA,
            blending="additive", visible=False, **where,
        ),
        CANDIDATES: viewer.add_labels(
            nothing(np.int32), name=CANDIDATES, opacity=0.35, visible=False, **where
        ),
        RECIPE: viewer.add_image(
            nothing(np.uint8), name=RECIPE, colormap="cyan", blending="additive", opacity=0.5,
            contrast_limits=(0, 1), visible=False, **where,
        ),
        PORES: viewer.add_labels(nothing(np.int32), name=PORES, opacity=0.5, **where),
        MARK: viewer.add_points(
            np.empty((0, 2)), name=MARK, symbol="disc", face_color="transparent", border_color="yellow",
            border_width=0.06, **where,
        ),
    }  # fmt: skip


def refill_layers(layers: Mapping[str, Any], image: Any, first: Micrograph) -> None:
    """Put the images of another file into the layers, and empty the others.

    Parameters
    ----------
    layers : mapping of Layer
        As `add_layers` gives them, of images with as many axes.
    image, first
        As for `add_layers`.
    """
    layers[IMAGE].data = image
    layers[IMAGE].reset_contrast_limits_range()
    layers[IMAGE].contrast_limits = choose_contrast(first.filled)
    for name in (VACANCIES, CANDIDATES, RECIPE, PORES):
        layers[name].data = np.zeros(first.image.shape, layers[name].data.dtype)
    layers[MARK].data = np.empty((0, 2))
    scale_layers(layers, first.pixel_size)


def scale_layers(layers: Mapping[str, Any], pixel_size: tuple[float, float]) -> None:
    """Give all layers another pixel size.

    Parameters
    ----------
    layers : mapping of Layer
    pixel_size : tuple of float
        (row, column) [nm].
    """
    for layer in layers.values():
        layer.scale = (*np.asarray(layer.scale)[:-2], *pixel_size)


#: A layer as napari's readers hand it over: data, options, kind.
_LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[_LayerData]] | None:
    """Give the reader of files that napari does not know, for its plugin engine.

    Parameters
    ----------
    path : str or list of str

    Returns
    -------
    callable or None
        Takes the path and returns the layers; None for several files at once.
    """
    return read_layers if isinstance(path, str) else None


def read_layers(path: str | list[str]) -> list[_LayerData]:
    """Read the micrographs of a file as a layer.

    Parameters
    ----------
    path : str or list of str

    Returns
    -------
    list of tuple
        Data, options and kind of one layer.

    Raises
    ------
    ReadError
        If it cannot be read.
    """
    if not isinstance(path, str):
        raise ReadError("porescope opens one file at a time")
    images = open_images(Path(path))
    first = images.read(0)
    image = stack_images(images.read, len(images), first)
    return [(image, {**describe_image(image, first), "name": first.name}, "image")]
