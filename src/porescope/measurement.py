"""Measure the pores of a label image: one row for each pore, the unit in the column's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv
from skimage.measure import grid_points_in_poly, regionprops

from porescope.atoms import Crystal, Occupancy, find_crystal, judge_crystal
from porescope.labels import find_bordered
from porescope.materials import find_material
from porescope.micrograph import Micrograph, check_micrograph
from porescope.shapes import classify_shapes
from porescope.sizes import Edge, Sheet, lay_out, measure_atoms, measure_edge, measure_pixels

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
    "touches_border": "bool", "missing_atoms": "float64", "confidence": "float64", "signal": "str",
    "size_method": "str",
    "isomer": "str", "missing_metal": "float64", "missing_chalcogen": "float64",
    "edge_zigzag_metal": "float64", "edge_zigzag_chalcogen": "float64", "edge_armchair": "float64",
    "symmetry": "str", "shape": "str", "edited": "bool",
}  # fmt: skip
#: Columns of text that may hold None, which no text array holds.
_MAY_BE_NONE = ("signal", "isomer", "symmetry", "shape")
#: What only `census` knows, and the shape, which is classified once all pores are measured.
_UNKNOWN = {
    "isomer": None, "missing_metal": np.nan, "missing_chalcogen": np.nan, "edge_zigzag_metal": np.nan,
    "edge_zigzag_chalcogen": np.nan, "edge_armchair": np.nan, "symmetry": None, "shape": None,
    "edited": False,
}  # fmt: skip


def measure(
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None = None,
    material: str | None = None,
) -> pd.DataFrame:
    """Measure every region of a label image.

    Parameters
    ----------
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N)
        0 is background.
    probability : ndarray of float, shape (M, N), optional
        The detector's probability of a pore at each pixel. The pore's edge is its contour at 0.55, between
        pixels; without it, the outline of the pixels.
    material : str, optional
        One of `MATERIALS`. If the image shows its lattice, pores are measured by their atoms, and missing
        atoms are counted.

    Returns
    -------
    pandas.DataFrame
        One row for each pore with the columns of `PORE_COLUMNS`: lengths in nm, areas in nm²,
        ``orientation_deg`` from the row axis to the longest axis, counter-clockwise. ``y_px``, ``x_px``:
        (0, 0) is the centre of the first pixel. ``touches_border``: the pore touches the edge of the
        frame or of the micrograph's field. ``size_method``: whether area, perimeter, circularity and
        diameter are by the ``atoms``, the ``contour`` or the ``pixels``. What is not known is NaN, as the
        circularity of a single pixel, and what only `census` knows: the isomer, the confidence.

    Raises
    ------
    ValueError
        If the label image does not have the micrograph's shape or does not hold integers, or if there is no
        such material.

    Notes
    -----
    Circularity is 4π·area/perimeter². `sizes.measure_atoms`, `sizes.measure_edge` and
    `sizes.measure_pixels` say how area, perimeter and the standard deviation of the diameter are measured.

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

    check_micrograph(micrograph, "measure")
    crystal = find_crystal(micrograph, find_material(material)) if material else None
    return (
        pd.DataFrame(measure_columns(micrograph, labels, probability, crystal))
        .astype(PORE_COLUMNS)
        .astype(dict.fromkeys(_MAY_BE_NONE, "str"))
    )


def measure_columns(
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None = None,
    crystal: Crystal | None = None,
    occupancy: Occupancy | None = None,
) -> dict[str, NDArray[Any]]:
    """Measure as `measure` does, into plain arrays, so that a worker need not load pandas.

    Parameters
    ----------
    micrograph, labels, probability
        As for `measure`.
    crystal : Crystal, optional
        The lattice of the micrograph, with the sites of its atoms.
    occupancy : Occupancy, optional
        Which of them hold atoms, if `judge_crystal` has told it; default: it is asked.

    Returns
    -------
    dict of ndarray, shape (n,)
        The columns of `PORE_COLUMNS`.

    Raises
    ------
    ValueError
        As for `measure`.
    """
    check_micrograph(micrograph, "measure")
    labels = np.asarray(labels)
    if labels.shape != micrograph.image.shape or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be integers of the image's shape {micrograph.image.shape}, "
            f"not {labels.dtype} of shape {labels.shape}"
        )
    bordered = set(find_bordered(labels, micrograph.field).tolist())
    if occupancy is None:
        occupancy = judge_crystal(micrograph, crystal, labels, probability)
    sheet = None
    if crystal is not None and occupancy is not None:
        sheet = lay_out(crystal, occupancy, labels.shape, micrograph.pixel_area)
    regions, rows = regionprops(labels)[::-1], []
    while regions:
        region = regions.pop()  # with it goes what it has cached
        touches = region.label in bordered
        edge, missing = _find_edge(region, micrograph, probability, sheet, touches)
        row = _measure_region(region, micrograph, edge)
        rows.append({**row, "touches_border": touches, "missing_atoms": missing})
    types = {**PORE_COLUMNS, **dict.fromkeys(_MAY_BE_NONE, "object")}
    columns = {name: np.array([row[name] for row in rows], dtype=dtype) for name, dtype in types.items()}
    columns["shape"] = classify_shapes(
        labels.astype(np.int32, copy=False), probability, micrograph.pixel_size, columns["label"],
        columns["equivalent_diameter_nm"], columns["missing_atoms"], ~columns["touches_border"],
    )  # fmt: skip
    return columns


def _find_edge(
    region: Any,
    micrograph: Micrograph,
    probability: NDArray[np.floating] | None,
    sheet: Sheet | None,
    touches_border: bool,
) -> tuple[Edge, float]:
    """Edge of a pore, by its atoms if they are known, and the number of missing ones, NaN if it is not.

    The atoms beyond the border are not known, so that they do not bound a pore that touches it.
    """
    by_atoms, missing = (None, np.nan) if sheet is None else measure_atoms(region.label, sheet)
    if by_atoms is not None and not touches_border:
        return by_atoms, missing
    if probability is None:
        return measure_pixels(region, micrograph.pixel_area), missing
    return measure_edge(region, probability, micrograph.pixel_area), missing


def _measure_region(region: Any, micrograph: Micrograph, edge: Edge) -> dict[str, Any]:
    """Columns of one pore. Moments and Feret diameters by NumPy and OpenCV, which are faster."""
    rows, _ = coords = region.coords.T
    y, x = coords.mean(axis=1)
    hull = cv2.convexHull(region.coords[:, ::-1].astype(np.int32))
    long, short = _feret(hull[:, 0, ::-1], micrograph.pixel_size)
    circularity = 4 * np.pi * edge.area_nm2 / edge.perimeter_nm**2
    eccentricity, orientation = _fit_ellipse(coords * np.array(micrograph.pixel_size)[:, None])
    return {
        "image": micrograph.name,
        "frame": micrograph.frame or 0,
        "label": region.label,
        "y_nm": y * micrograph.pixel_size[0],
        "x_nm": x * micrograph.pixel_size[1],
        "y_px": y,
        "x_px": x,
        "area_nm2": edge.area_nm2,
        "area_px": len(rows),
        "equivalent_diameter_nm": np.sqrt(4 * edge.area_nm2 / np.pi),
        "equivalent_diameter_std_nm": edge.deviation_nm,
        "feret_diameter_max_nm": long,
        "feret_diameter_min_nm": short,
        "perimeter_nm": edge.perimeter_nm,
        "circularity": circularity if len(rows) > 1 else np.nan,
        "solidity": len(rows) / _measure_hull(hull[:, 0, ::-1], region.bbox),
        "eccentricity": eccentricity,
        "orientation_deg": orientation,
        "confidence": np.nan,
        "signal": micrograph.signal,
        "size_method": edge.method,
        **_UNKNOWN,
    }


def _fit_ellipse(coords: NDArray[np.floating]) -> tuple[float, float]:
    """Eccentricity and orientation [°] of the ellipse with a region's second moments; NaN if undefined."""
    if coords.shape[1] == 1:
        return np.nan, np.nan
    (rr, rc), (_, cc) = np.cov(coords, bias=True)
    spread = np.hypot((rr - cc) / 2, rc)
    large, small = (rr + cc) / 2 + spread, (rr + cc) / 2 - spread
    eccentricity = float(np.sqrt(max(0.0, 1 - small / large)))
    if spread <= 1e-9 * large:  # a circle has no longest axis
        return eccentricity, np.nan
    return eccentricity, float(np.degrees(0.5 * np.arctan2(2 * rc, rr - cc)))


def _measure_hull(corners: NDArray[np.integer], box: tuple[int, ...]) -> int:
    """Number of pixels of a region's convex hull [px], half a pixel outside its pixels' centres.

    ``corners`` as for `_feret`. As scikit-image does it, whose hull through all pixels takes longer.
    """
    offsets = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    doubled = 2 * (corners - np.array(box[:2]))[:, None] + offsets
    hull = cv2.convexHull(doubled.reshape(-1, 2).astype(np.int32))[:, 0] / 2
    inside = grid_points_in_poly((box[2] - box[0], box[3] - box[1]), hull, binarize=False)
    return int(np.count_nonzero(inside))


def _feret(corners: NDArray[np.integer], pixel_size: tuple[float, float]) -> tuple[float, float]:
    """Largest and smallest Feret diameter of a region [nm], half a pixel outside its pixels' centres.

    ``corners`` are those of the hull of the centres, shape (K, 2), row before column.
    """
    offsets = np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    points = (corners[:, None] + offsets).reshape(-1, 2) * np.asarray(pixel_size)
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]]) / np.hypot(*edges.T)
    widths = np.ptp(hull @ normals, axis=0)
    longest = np.hypot(*(hull[:, None] - hull[None]).transpose(2, 0, 1)).max()
    return float(longest), float(widths.min())


def is_counted(
    labels: NDArray[np.integer], numbers: NDArray[np.integer], field: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Select the pores that count for the density, so that the border does not bias it.

    A pore counts unless it touches the bottom or the right edge of the frame or the field. In images
    that tile the plane each pore is then counted once (Gundersen 1977,
    doi:10.1111/j.1365-2818.1977.tb00062.x).

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)
    numbers : ndarray of int, shape (n,)
        Labels of the pores.
    field : ndarray of bool, shape (M, N), optional
        Where there is data; default: everywhere.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> is_counted(np.array([[1, 0, 2], [0, 0, 0]]), np.array([1, 2]))
    array([ True, False])
    """
    edge = [labels[-1], labels[:, -1]]
    if field is not None:
        edge += [labels[:-1][~field[1:]], labels[:, :-1][~field[:, 1:]]]
    return np.isin(numbers, np.concatenate(edge), invert=True)


def density_interval(counted: int, area_um2: float) -> tuple[float, float]:
    """95 % confidence interval of an areal density, from the number of pores that were counted.

    Parameters
    ----------
    counted : int
    area_um2 : float
        Area that was looked at [µm²].

    Returns
    -------
    tuple of float
        Lower and upper limit [1/µm²].

    Notes
    -----
    The exact interval of a Poisson distribution (Garwood 1936, doi:10.1093/biomet/28.3-4.437).

    Examples
    --------
    >>> [round(limit) for limit in density_interval(16, 16 / 8480)]
    [4847, 13771]
    >>> density_interval(0, 1.0)[0]
    0.0
    """
    low = float(gammaincinv(counted, 0.025)) if counted else 0.0
    return low / area_um2, float(gammaincinv(counted + 1, 0.975)) / area_um2
