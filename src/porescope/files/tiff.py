"""Read TIFFs: their pages, series, pixel sizes, and what ImageJ, OME and microscopes write in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files.headers import read_interval, read_ome
from porescope.files.signals import ReadError, Signal, describe_signal, header_pixel_size
from porescope.files.units import nanometres


def load_tiff(path: Path, lazy: bool) -> list[Signal]:
    """Load every dataset of a TIFF.

    Parameters
    ----------
    path : Path
    lazy : bool
        Whether to read frames when they are asked for.

    Returns
    -------
    list of Signal

    Raises
    ------
    ReadError
        If it is cut off.
    """
    import tifffile
    from rsciio.tiff import file_reader

    with tifffile.TiffFile(path) as tiff:
        _check_tiff_whole(path, tiff)
        paged = [len(series) > 1 and len(series) == series.shape[0] for series in tiff.series]
        lazy = lazy and any(paged)
        pages = [series.keyframe for series in tiff.series]
        fallbacks = [_tiff_scale(tiff, page) for page in pages]
        axes = [str(series.axes) for series in tiff.series]
        ome = tifffile.xml2dict(tiff.ome_metadata) if tiff.ome_metadata else None
        imagej = tiff.imagej_metadata or {}
    entries = file_reader(str(path), lazy=lazy)
    if lazy:  # rosettasciio would load a whole series for each frame
        for i, entry in enumerate(entries):
            data = entry["data"]
            entry["data"] = _TiffFrames(path, i, data) if data.ndim == 3 and paged[i] else np.asarray(data)
    signals = [describe_signal(entry) for entry in entries]
    if ome is not None:
        signals = _add_ome(signals, ome)
    for i, (signal, scale) in enumerate(zip(signals, fallbacks, strict=True)):
        if signal.units[-1] and not signal.units[-2]:  # ImageJ writes one unit for both axes
            signal.units[-2] = signal.units[-1]
        step = read_interval(imagej)
        if step is not None and signal.data.ndim == 3 and axes[i].startswith("T"):
            signal.units[0], signal.scales[0] = "s", step
        if scale is not None and header_pixel_size(signal) is None:
            units: list[str | None] = [*signal.units[:-2], "nm", "nm"]
            signals[i] = signal._replace(units=units, scales=[*signal.scales[:-2], *scale])
    return signals


class _TiffFrames:
    """The frames of a TIFF's series, read one at a time."""

    ndim = 3

    def __init__(self, path: Path, series: int, data: Any) -> None:
        self.path, self.series = path, series
        self.shape, self.dtype, self.size = data.shape, data.dtype, data.size

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, frame: int) -> NDArray[Any]:
        import tifffile

        with tifffile.TiffFile(self.path) as tiff:
            return np.asarray(tiff.asarray(series=self.series, key=frame))


def _add_ome(signals: list[Signal], ome: Any) -> list[Signal]:
    """Take stage positions and times from OME's metadata, if they describe as many images as there are."""
    try:
        images = ome["OME"]["Image"]
    except (KeyError, TypeError):
        return signals
    images = images if isinstance(images, list) else [images]
    if len(images) != len(signals):
        return signals
    return [
        signal._replace(headers=read_ome(image, signal.n_frames))
        for signal, image in zip(signals, images, strict=True)
    ]


def _check_tiff_whole(path: Path, tiff: Any) -> None:
    """Refuse a TIFF that is cut off. tifffile itself would return the remaining frames."""
    size = path.stat().st_size
    pages = list(tiff.pages)
    claimed = int((tiff.imagej_metadata or {}).get("images", 1))
    ends = [
        offset + count
        for page in pages
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    ]
    if not ends:
        raise ReadError(f"{path.name} holds no image")
    if claimed > 1 and len(pages) == 1:  # ImageJ may store a large stack behind one page
        ends = [pages[0].dataoffsets[0] + claimed * sum(pages[0].databytecounts)]
    if max(ends) > size or 1 < len(pages) < claimed:
        raise ReadError(
            f"{path.name} is cut off: its pages need {max(ends)} bytes for {claimed} images, the "
            f"file has {size} and {len(pages)} pages; copy it again"
        )


def _tiff_scale(tiff: Any, page: Any) -> tuple[float, float] | None:
    """Pixel size (row, column) [nm] from OME's or ImageJ's metadata, or from the resolution tags.

    rosettasciio reads the microscope makers' tags; of ImageJ's units it knows microns only, and no OME.
    """
    if tiff.ome_metadata:
        import tifffile

        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        sizes = [
            float(pixels.get(f"PhysicalSize{axis}", 0))
            * (nanometres(pixels.get(f"PhysicalSize{axis}Unit", "µm")) or 0)
            for axis in "YX"
        ]
        return (sizes[0], sizes[1]) if min(sizes) > 0 else None
    column, row = page.resolution
    if min(row, column) <= 0:
        return None
    name = str((tiff.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
    unit = nanometres(name)
    if unit is not None and name not in ("inch", "cm"):
        return unit / row, unit / column
    unit = unit or {2: 2.54e7, 3: 1e7}.get(int(page.resolutionunit or 1))
    if unit is None:
        return None
    # 1 µm per pixel or more is a printing resolution (72, 96, 300 dpi), no pixel size.
    return (unit / row, unit / column) if unit / min(row, column) < 1000 else None
