"""What a run says as a whole: pores, density, porosity; a stack counts as one image, its average frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files import describe_counts
from porescope.lattice import warn_of_pixel_sizes
from porescope.materials import MATERIALS
from porescope.measurement import density_interval
from porescope.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd


class Summary(NamedTuple):
    """What a run says as a whole."""

    images: pd.DataFrame  # rows of images that were processed and are no frames of a stack
    stacks: list[pd.DataFrame]  # rows of each stack's frames that were processed
    n_failed: int  # number of failed images
    n_pores: float  # number of pores; of the average frame, if there are only stacks
    n_border: float  # number of those that touch the border
    area_um2: float  # area of the fields of view [µm²]
    porosity: float  # area of the pores / area of the fields of view; NaN without an image
    diameters_nm: NDArray[np.float64]  # equivalent diameters [nm], of all frames if there are only stacks
    density: tuple[float, float, float]  # areal density and its 95 % confidence limits [1/µm²]
    counts_frames: bool  # whether the numbers are those of the average frame
    text: str  # how many pores in how many images

    @property
    def median_nm(self) -> float | None:
        """Median equivalent diameter [nm]; None without a pore."""
        return float(np.median(self.diameters_nm)) if len(self.diameters_nm) else None


def summarize(run: Run) -> Summary:
    """Summarize a run.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Summary
        Pores of a stack come back in each of its frames. So the numbers are those of the images that are no
        frames, or, if there are only stacks, those of their average frame.
    """
    nan = float("nan")
    done = run.images[run.images.status == "ok"]
    singles, stacks = _split(run.images)
    n_failed = len(run.images) - len(done)
    pooled, share = (singles, 1.0) if len(singles) or not stacks else (done, len(stacks) / len(done))
    pores = run.pores.merge(pooled[["image", "frame"]], on=["image", "frame"])
    area = float(_measure_areas(pooled).sum()) * share
    counted = float((pooled.density_per_um2 * _measure_areas(pooled)).sum()) * share
    limits = density_interval(round(counted), area) if area else (nan, nan)
    return Summary(
        images=singles,
        stacks=stacks,
        n_failed=n_failed,
        n_pores=len(pores) * share,
        n_border=float(pores.touches_border.sum()) * share,
        area_um2=area,
        porosity=float(pores.area_nm2.sum()) * share / area / 1e6 if area else nan,
        diameters_nm=pores.equivalent_diameter_nm.to_numpy(float),
        density=(counted / area if area else nan, *limits),
        counts_frames=share < 1,
        text=_describe(singles, stacks, n_failed, int(singles.n_pores.sum())),
    )


def _split(images: pd.DataFrame) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Rows of single images, and of each stack: images of one file, size and pixel size."""
    done = images[images.status == "ok"]
    keys = ["image", "height_px", "width_px", "pixel_size_nm"]
    size = done.groupby(keys).frame.transform("count")
    return done[size == 1], [rows for _, rows in done[size > 1].groupby(keys, sort=False)]


def _measure_areas(images: pd.DataFrame) -> pd.Series[float]:
    """Area of each image's field [µm²]; runs of older versions do not know it and count the whole image."""
    areas = (images.height_px * images.width_px * images.pixel_size_nm**2).astype(float) / 1e6
    return areas * images.field_fraction.fillna(1.0)


def _describe(singles: pd.DataFrame, stacks: list[pd.DataFrame], n_failed: int, n_pores: int) -> str:
    parts = []
    if len(singles):
        parts.append(describe_counts(n_pores, len(singles)))
    if len(stacks) > 3:
        parts.append(f"{len(stacks)} stacks of {sum(map(len, stacks))} frames")
    else:
        parts += map(describe_stack, stacks)
    if n_failed:
        parts.append(f"{n_failed} failed")
    return ", ".join(parts) or "no image"


def describe_stack(frames: pd.DataFrame) -> str:
    """Describe a stack: how many pores in a frame.

    Parameters
    ----------
    frames : DataFrame
        Rows of its frames.

    Returns
    -------
    str
    """
    low, high = int(frames.n_pores.min()), int(frames.n_pores.max())
    pores = f"{low} pore{'s' * (low != 1)}" if low == high else f"{low} to {high} pores"
    return f"{pores} in each of {len(frames)} frames"


def list_warnings(run: Run) -> list[str]:
    """List what the user must know of a run as a whole: pixel sizes that the crystal contradicts.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of str
    """
    done = run.images[run.images.status == "ok"]
    corrected = (done.pixel_size_source == "lattice").to_numpy(bool)
    constants = done.lattice_constant_nm.to_numpy(float)
    distortions = done.scan_distortion.to_numpy(float)
    material = run.record.get("material")
    known = material if isinstance(material, str) and material in MATERIALS else None
    return warn_of_pixel_sizes(constants, corrected, known, distortions)


def count_messages(run: Run) -> list[tuple[str, int]]:
    """Count the messages of the images that were processed.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of tuple
        Message and number of images, the most frequent first.
    """
    done = run.images[run.images.status == "ok"]
    told = done.message[done.message != ""].astype("str").str.split("; ").explode().value_counts()
    return [(str(message), int(n)) for message, n in told.items()]
