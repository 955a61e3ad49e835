"""The paper's pipeline: normalize → equalize → average → threshold → select.

Chen, Balan, Masih Das, Thiruraman and Drndić, "Computer vision AC-STEM automated image analysis
for 2D nanopore applications". Each stage is a function on arrays; `scale_recipe` converts a recipe to
the pixels and greys of one image, and `segment` chains the stages.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from porescope.labels import clear_outside, keep_regions
from porescope.micrograph import Micrograph
from porescope.modalities import has_bright_holes
from porescope.recipes.recipe import Recipe

#: Pixel size at 10 M× in the paper [nm], for which a recipe's radius and area are in pixels.
REFERENCE_PIXEL_SIZE = 0.046851
#: Side of an image at 10 M× [px] that a recipe's grid divides into tiles, in physical scaling.
_REFERENCE_WIDTH = 512
#: Median grey of an 8-bit image to which a recipe's threshold applies unchanged.
REFERENCE_MEDIAN = 88

#: An 8-bit image, shape (M, N).
Gray = NDArray[np.uint8]


class ScaledRecipe(NamedTuple):
    """The parameters of a recipe that depend on the image, in its pixels and greys."""

    tiles: tuple[int, int]  # number of tiles (rows, columns)
    width: int  # full width of the averaging window [px], odd
    threshold: float  # highest grey of a pore in the averaged image
    area: float  # smallest area of a pore [px²]


def scale_recipe(
    recipe: Recipe, pixel_size: float, shape: tuple[int, int], median: float = REFERENCE_MEDIAN
) -> ScaledRecipe:
    """Convert a recipe to the pixels and greys of one image.

    Parameters
    ----------
    recipe : Recipe
    pixel_size : float
        Pixel size of the image [nm].
    shape : tuple of int
        Shape of the image (rows, columns) [px].
    median : float
        Median grey of the 8-bit image.

    Returns
    -------
    ScaledRecipe

    Notes
    -----
    Published scaling multiplies the number of tiles and the area by the magnification over 10 M×.
    Physical scaling keeps tile and window constant in nm, and the area constant in nm².
    In both the threshold is proportional to the image's median.

    Examples
    --------
    >>> scale_recipe(Recipe(grid=10, radius=2, area=20), 0.046851, (512, 512)).width
    5
    """
    m = REFERENCE_PIXEL_SIZE / pixel_size
    if recipe.scaling == "published":
        rows = columns = round(recipe.grid * m)
        area = recipe.area * m
    else:
        rows, columns = (round(recipe.grid / m * size / _REFERENCE_WIDTH) for size in shape)
        area = recipe.area * m**2
    # A tile is at least one pixel.
    tiles = (min(max(rows, 1), shape[0]), min(max(columns, 1), shape[1]))
    # A wider window than twice the image gives the same average, more slowly.
    width = 2 * min(round(recipe.radius * m), max(shape)) + 1
    return ScaledRecipe(tiles, width, recipe.threshold * median / REFERENCE_MEDIAN, area)


def normalize(image: NDArray[np.float32], invert: bool = False) -> Gray:
    """Scale an image to 8 bits: its minimum becomes 0, its maximum 255.

    Parameters
    ----------
    image : ndarray, shape (M, N)
        Intensities; a constant image becomes 0.
    invert : bool
        Whether to make bright pixels dark, for modalities in which pores are bright.

    Returns
    -------
    ndarray of uint8, shape (M, N)

    Examples
    --------
    >>> import numpy as np
    >>> normalize(np.array([[1.0, 2.0, 3.0]], dtype=np.float32))
    array([[  0, 128, 255]], dtype=uint8)
    """
    low, high = (float(v) for v in cv2.minMaxLoc(image)[:2])
    if high <= low:
        return np.zeros(image.shape, np.uint8)
    # Extreme ranges overflow in float32.
    fits = 1e-30 < high - low < 1e38
    gray = image - np.float32(low) if fits else image.astype(np.float64) - low
    gray *= 255 / (high - low)
    if invert:
        np.subtract(255, gray, out=gray)
    return np.rint(gray, out=gray).astype(np.uint8)


def convert_to_gray(micrograph: Micrograph) -> Gray:
    """Convert a micrograph to 8 bits with dark pores, as the pipeline takes it.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    ndarray of uint8, shape (M, N)
    """
    image, field = micrograph.image, micrograph.field
    if field is not None:
        # Outside the field each pixel repeats the nearest one inside, so that averages at its edge hold.
        image = image[tuple(distance_transform_edt(~field, return_distances=False, return_indices=True))]
    return normalize(image, has_bright_holes(micrograph.modality))


def median_gray(gray: Gray, field: NDArray[np.bool_] | None = None) -> float:
    """Compute the exact median of an 8-bit image from its histogram.

    Parameters
    ----------
    gray : ndarray of uint8, shape (M, N)
    field : ndarray of bool, shape (M, N), optional
        Where there is data; default: everywhere.

    Returns
    -------
    float
        Grey, 0–255.
    """
    inside = None if field is None else field.view(np.uint8)
    counts = np.cumsum(cv2.calcHist([gray], [0], inside, [256], [0, 256]).ravel().astype(np.int64))
    middle = [np.searchsorted(counts, n // 2, side="right") for n in (counts[-1] - 1, counts[-1])]
    return float(np.mean(middle))


def equalize(gray: Gray, tiles: tuple[int, int], clip_limit: float = 40) -> Gray:
    """Equalise the contrast of each tile, with a contrast limit (CLAHE).

    Parameters
    ----------
    gray : ndarray of uint8, shape (M, N)
    tiles : tuple of int
        Number of tiles (rows, columns).
    clip_limit : float
        Largest slope of the curve that maps greys.

    Returns
    -------
    ndarray of uint8, shape (M, N)

    References
    ----------
    Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV (1994).

    Examples
    --------
    >>> import numpy as np
    >>> equalize(np.zeros((4, 6), np.uint8), (1, 2)).shape
    (4, 6)
    """
    rows, columns = tiles
    return cv2.createCLAHE(clip_limit, (columns, rows)).apply(gray)  # type: ignore[return-value]


def average(gray: Gray, width: int) -> Gray:
    """Average over a square window, and round to 8 bits.

    Parameters
    ----------
    gray : ndarray of uint8, shape (M, N)
    width : int
        Full width of the window [px], odd.

    Returns
    -------
    ndarray of uint8, shape (M, N)

    Examples
    --------
    >>> import numpy as np
    >>> average(np.array([[0, 0, 90]], np.uint8), 3)
    array([[ 0, 30, 30]], dtype=uint8)
    """
    return cv2.blur(gray, (width, width))  # type: ignore[return-value]


def threshold(mean: Gray, level: float) -> NDArray[np.bool_]:
    """Mark the pixels whose local mean is at most a level.

    Parameters
    ----------
    mean : ndarray of uint8, shape (M, N)
        The averaged image.
    level : float
        Grey, 0–255.

    Returns
    -------
    ndarray of bool, shape (M, N)

    Examples
    --------
    >>> import numpy as np
    >>> threshold(np.array([[3, 4]], np.uint8), 3.5)
    array([[ True, False]])
    """
    return mean <= level


def select(
    mask: NDArray[np.bool_], area: float, max_area: float = 100_000, max_aspect: float = 3
) -> NDArray[np.int32]:
    """Keep the regions of a mask that have a pore's area and aspect ratio, with their holes filled.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)
    area, max_area : float
        The region's outer contour encloses more than ``area`` and less than ``max_area`` [px²].
    max_aspect : float
        The aspect ratio of the region's minimum-area rectangle is less than this.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image with 8-connected regions, numbered from top to bottom; 0 is background.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((6, 8), bool)
    >>> mask[1:5, 2:6] = True
    >>> select(mask, area=3).max(), select(mask, area=9).max()
    (np.int32(1), np.int32(0))
    """
    contours = trace_contours(mask)
    labels = np.zeros(mask.shape, np.int32)
    kept = [c for c in contours if _looks_like_pore(c, area, max_area, max_aspect)]
    kept.sort(key=lambda c: tuple(cv2.boundingRect(c)[1::-1]))
    for label, contour in enumerate(kept, start=1):
        cv2.drawContours(labels, [contour], -1, label, cv2.FILLED)
    return labels


def trace_contours(mask: NDArray[np.bool_]) -> list[NDArray[np.int32]]:
    """Trace the outer contours of the 8-connected regions of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)

    Returns
    -------
    list of ndarray of int32, shape (K, 1, 2)
        Points of each contour (x, y), OpenCV's order.
    """
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return list(found)  # type: ignore[arg-type]


def _looks_like_pore(contour: NDArray[np.int32], area: float, max_area: float, max_aspect: float) -> bool:
    """Whether an outer contour satisfies the limits of `select`."""
    if not area < cv2.contourArea(contour) < max_area:
        return False
    long, short = measure_sides(contour - contour.min(axis=0))
    return long < max_aspect * short


def measure_sides(contour: NDArray[np.int32]) -> tuple[float, float]:
    """Measure the minimum-area rectangle of a contour.

    Parameters
    ----------
    contour : ndarray of int32, shape (K, 1, 2)
        Points (x, y), shifted so that the smallest x and y are 0: equal shapes then have sides that are equal
        to the last bit.

    Returns
    -------
    tuple of float
        Longer and shorter side [px].
    """
    one, other = cv2.minAreaRect(contour)[1]
    return max(one, other), min(one, other)


def segment(micrograph: Micrograph, recipe: Recipe) -> NDArray[np.int32]:
    """Find the pores of a micrograph by the paper's pipeline.

    Parameters
    ----------
    micrograph : Micrograph
    recipe : Recipe
        Scaled by `recipe_pixel_size`.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image; 0 is background. A constant image has no pores, and nothing is outside the field.

    Examples
    --------
    >>> import numpy as np
    >>> segment(Micrograph(np.ones((8, 9)), 0.05), Recipe()).max()
    np.int32(0)
    """
    labels = np.zeros(micrograph.image.shape, np.int32)
    gray = np.ascontiguousarray(convert_to_gray(micrograph)[micrograph.window])
    if not gray.any():
        return labels
    field = micrograph.field
    if field is not None:
        field = np.ascontiguousarray(field[micrograph.window])
    scaled = scale_recipe(recipe, recipe_pixel_size(micrograph), gray.shape, median_gray(gray, field))
    mean = average(equalize(gray, scaled.tiles, recipe.clip_limit), scaled.width)
    mask = threshold(mean, scaled.threshold)
    found = clear_outside(select(mask, scaled.area, recipe.max_area, recipe.max_aspect), field)
    if field is not None:  # what the field's edge leaves of a region may be too small
        found = keep_regions(found, np.bincount(found.ravel())[1:] > scaled.area)
    labels[micrograph.window] = found
    return labels


def recipe_pixel_size(micrograph: Micrograph) -> float:
    """Give the pixel size by which a recipe is scaled: the header's or the user's, not the lattice's.

    Recipes are tuned at the header's pixel size; a correction by the lattice would change their scale.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    float
        Geometric mean of the pixel's sides [nm].
    """
    row, column = micrograph.acquisition.pixel_size_recipe or micrograph.pixel_size
    return float(np.sqrt(row * column))
