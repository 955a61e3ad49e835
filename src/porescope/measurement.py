"""Measure the regions of a label image: one row a pore, the unit in the column's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import perimeter_crofton, regionprops

from porescope.micrograph import Micrograph
from porescope.sizes import measure_edge

if TYPE_CHECKING:
    import pandas as pd

#: Columns of ``pores.csv``, in order, with their types.
PORE_COLUMNS = {
    "image": "str", "frame": "int64", "label": "int64",
    "y_nm": "float64", "x_nm": "float64", "y_px": "float64", "x_px": "float64",
    "area_nm2": "float64", "area_px": "int64",
    "equivalent_diameter_nm": "float64", "equivalent_diameter_std_nm": "float64",
    "feret_diameter_max_nm": "float64", "feret_diameter_min_nm": "float64",
    "perimeter_nm": "float64", "circularity": "float64", "solidity": "float64",
    "eccentricity": "float64", "orientation_deg": "float64",
    "touches_border": "bool", "missing_atoms": "float64", "confidence": "float64",
}  # fmt: skip


def measure(
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None = None,
) -> pd.DataFrame:
    """Measure every region of a label image.

    Parameters
    ----------
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N)
        0 is background.
    probability : ndarray of float, shape (M, N), optional
        The detector's probability of a pore at each pixel: ``confidence`` is its mean over the
        pore, and the pore's edge runs where it is a half, between pixels.

    Returns
    -------
    pandas.DataFrame
        One row a pore with the columns of `PORE_COLUMNS`; lengths in nm, areas in nm²,
        ``orientation_deg`` from the row axis to the longest axis, counter-clockwise.
        ``y_px``, ``x_px``: (0, 0) is the centre of the first pixel. What is not known is NaN.

    Raises
    ------
    ValueError
        If the label image is not of the micrograph's shape or does not hold integers.

    Notes
    -----
    Perimeter by Crofton's formula in four directions (Legland, Kiêu and Devaux 2007,
    doi:10.5566/ias.v26.p83-92); circularity is 4π·area/perimeter², both of whole pixels. The
    standard deviation of the equivalent diameter is that of an edge that may lie anywhere within
    half a pixel of where it was drawn, one pixel / √3; with a probability it is half the
    difference between the diameters at the probabilities 0.16 and 0.84.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((8, 9), int)
    >>> labels[2:5, 3:6] = 1
    >>> table = measure(Micrograph(np.ones((8, 9)), 0.1), labels)
    >>> table[["area_px", "y_px", "x_px"]].to_numpy().tolist()
    [[9.0, 3.0, 4.0]]
    """
    import pandas as pd

    return pd.DataFrame(measure_columns(micrograph, labels, probability))


def measure_columns(
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None = None,
) -> dict[str, NDArray[Any]]:
    """Measure as `measure` does, into plain arrays: a worker need not load pandas."""
    labels = np.asarray(labels)
    if labels.shape != micrograph.image.shape or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be integers of the image's shape {micrograph.image.shape}, "
            f"not {labels.dtype} of shape {labels.shape}"
        )
    regions = regionprops(labels)
    rows = [_measure_region(region, micrograph, labels.shape, probability) for region in regions]
    return {name: np.array([row[name] for row in rows], dtype=dtype) for name, dtype in PORE_COLUMNS.items()}


def _measure_region(
    region: Any,
    micrograph: Micrograph,
    shape: tuple[int, int],
    probability: NDArray[np.floating] | None,
) -> dict[str, Any]:
    """Columns of one pore. Moments and calipers by NumPy and OpenCV, which is faster."""
    rows, columns = coords = region.coords.T
    pixel = np.sqrt(micrograph.pixel_area)
    area, deviation = len(rows) * micrograph.pixel_area, pixel / np.sqrt(3)
    if probability is not None:
        area, deviation = measure_edge(region, probability, micrograph.pixel_area)
    y, x = coords.mean(axis=1)
    top, left, bottom, right = region.bbox
    hull = cv2.convexHull(region.coords[:, ::-1].astype(np.int32))
    long, short = _feret(hull[:, 0, ::-1], micrograph.pixel_size)
    perimeter = perimeter_crofton(region.image, directions=4) * pixel
    eccentricity, orientation = _ellipse(coords * np.array(micrograph.pixel_size)[:, None])
    return {
        "image": micrograph.name,
        "frame": micrograph.frame or 0,
        "label": region.label,
        "y_nm": y * micrograph.pixel_size[0],
        "x_nm": x * micrograph.pixel_size[1],
        "y_px": y,
        "x_px": x,
        "area_nm2": area,
        "area_px": len(rows),
        "equivalent_diameter_nm": np.sqrt(4 * area / np.pi),
        "equivalent_diameter_std_nm": deviation,
        "feret_diameter_max_nm": long,
        "feret_diameter_min_nm": short,
        "perimeter_nm": perimeter,
        "circularity": 4 * np.pi * len(rows) * micrograph.pixel_area / perimeter**2,
        "solidity": region.solidity,
        "eccentricity": eccentricity,
        "orientation_deg": orientation,
        "touches_border": top == 0 or left == 0 or bottom == shape[0] or right == shape[1],
        "missing_atoms": np.nan,
        "confidence": np.nan if probability is None else probability[rows, columns].mean(),
    }


def _ellipse(coords: NDArray[np.floating]) -> tuple[float, float]:
    """Eccentricity and orientation [°] of the ellipse with a region's second moments."""
    (rr, rc), (_, cc) = np.cov(coords, bias=True) if coords.shape[1] > 1 else np.zeros((2, 2))
    spread = np.hypot((rr - cc) / 2, rc)
    large, small = (rr + cc) / 2 + spread, (rr + cc) / 2 - spread
    if large <= 0:
        return 0.0, 0.0
    eccentricity = np.sqrt(max(0.0, 1 - small / large))
    return float(eccentricity), float(np.degrees(0.5 * np.arctan2(2 * rc, rr - cc)))


def _feret(corners: NDArray[np.integer], pixel_size: tuple[float, float]) -> tuple[float, float]:
    """Largest and smallest caliper width of a region [nm], its edge half a pixel out.

    ``corners`` are those of the hull of its pixels' centres, shape (K, 2), row before column.
    """
    offsets = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    points = (corners[:, None] + offsets).reshape(-1, 2) * np.asarray(pixel_size)
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]]) / np.hypot(*edges.T)
    widths = np.ptp(hull @ normals, axis=0)
    longest = np.hypot(*(hull[:, None] - hull[None]).transpose(2, 0, 1)).max()
    return float(longest), float(widths.min())


def is_counted(labels: NDArray[np.integer], numbers: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which pores count for the density, so that the border does not bias it.

    A pore is counted unless it touches the bottom or the right edge: of images that tile the
    plane each pore would then be counted in one (Gundersen 1977,
    doi:10.1111/j.1365-2818.1977.tb00062.x).

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)
    numbers : ndarray of int, shape (n,)
        The labels asked for.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> is_counted(np.array([[1, 0, 2], [0, 0, 0]]), np.array([1, 2]))
    array([ True, False])
    """
    edge = np.concatenate([labels[-1], labels[:, -1]])
    return np.isin(numbers, edge, invert=True)
