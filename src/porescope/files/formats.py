"""Read microscope files: their signals, pixel sizes and metadata; refuse what is no micrograph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files.claims import explain_claim
from porescope.files.headers import Header, as_mapping, as_text, look_up, read_header, read_interval, read_ome
from porescope.files.units import nanometres, seconds
from porescope.modalities import MODALITIES


class ReadError(ValueError):
    """A file that cannot be read as a micrograph; the message says why and what to do."""


class Signal(NamedTuple):
    """One dataset of a file: its values, its axes and its metadata."""

    data: NDArray[Any]  # (M, N) or, for a stack, (K, M, N)
    units: list[str | None]  # of each axis
    scales: list[float]  # of each axis: step, in its unit
    stacked: list[bool]  # of each axis: whether it counts the frames of a stack
    title: str = ""
    kind: str = ""  # HyperSpy's signal type, such as "EELS"
    modality: str | None = None  # None where the metadata do not say it
    headers: tuple[Header, ...] = (Header(),)  # one for each frame, or one for all

    @property
    def frames(self) -> NDArray[Any]:
        """The images, shape (K, M, N)."""
        return self.data if self.data.ndim == 3 else self.data[None]

    def header_of(self, frame: int) -> Header:
        """Look up the metadata of one frame.

        Parameters
        ----------
        frame : int
            Index in this stack, counted from 0.

        Returns
        -------
        Header
            With the frame's own time: that of the stack plus ``frame`` steps of a calibrated time axis. A
            stack without a date starts at 0 s.
        """
        if len(self.headers) > 1:
            return self.headers[frame]
        header, unit = self.headers[0], seconds(self.units[0])
        if self.data.ndim < 3 or unit is None:
            return header
        time = (header.time_s or 0.0) + frame * self.scales[0] * unit
        return header._replace(time_s=time) if np.isfinite(time) else header


def choose_images(path: Path, signals: list[Signal]) -> list[Signal]:
    """Select the signals that are images in real space.

    Parameters
    ----------
    path : Path
        Named in errors.
    signals : list of Signal

    Returns
    -------
    list of Signal
        In grey. Signals without a pixel size are left out if others have one: they are previews or
        annotated copies.

    Raises
    ------
    ReadError
        If no signal is an image.
    """
    images, reasons = [], []
    for signal in signals:
        reason = _why_no_image(signal)
        if reason:
            reasons.append(reason)
        else:
            images.append(signal._replace(data=_grey(signal.data)))
    if not images:
        raise ReadError(f"{path.name} {reasons[0] if reasons else 'holds no image'}")
    calibrated = [image for image in images if header_pixel_size(image)]
    return calibrated or images


def _why_no_image(signal: Signal) -> str | None:
    """Say why a dataset is no image in real space; None if it is one."""
    data = signal.data
    units = [(unit or "").replace(" ", "") for unit in signal.units]
    if data.dtype.kind == "V" and not set("RGB") <= set(data.dtype.names or ()):
        return f"holds records of {', '.join(data.dtype.names or ('bytes',))}, not an image"
    if data.dtype.kind == "b":
        return "has boolean pixels: a mask is not a micrograph; give the image itself"
    if data.dtype.kind == "c":
        return "has complex pixels: a Fourier transform is not a micrograph; give the image itself"
    if signal.kind or any(unit in ("eV", "keV") for unit in units) or data.ndim < 2:
        return "holds a spectrum, not a micrograph; give an image"
    if any("1/" in unit or "^-1" in unit or "⁻¹" in unit or "rad" in unit for unit in units):
        return "holds a diffraction pattern (reciprocal units), not a micrograph; give an image"
    if data.ndim > 3 or (data.ndim == 3 and signal.stacked != [True, False, False]):
        return f"holds {data.ndim}-dimensional data, not an image or a stack of images"
    if data.size == 0:
        return f"holds an empty image of shape {data.shape}"
    return None


def _grey(data: NDArray[Any]) -> NDArray[Any]:
    """Convert structured RGB pixels to grey (luma of Rec. 601); return other data unchanged."""
    if data.dtype.names is None:
        return data
    red, green, blue = (data[c].astype(np.float32) for c in "RGB")
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)


def header_pixel_size(signal: Signal) -> tuple[float, float] | None:
    """Pixel size in the file's metadata.

    Parameters
    ----------
    signal : Signal

    Returns
    -------
    tuple of float, or None
        (row, column) [nm]; None if the file has none.
    """
    factors = [nanometres(unit) for unit in signal.units[-2:]]
    if None in factors:
        return None
    row, column = (float(s) * f for s, f in zip(signal.scales[-2:], factors, strict=True) if f is not None)
    return row, column


def require_pixel_size(path: Path, signal: Signal) -> tuple[float, float]:
    """Pixel size in the file's metadata, which must have one.

    Parameters
    ----------
    path : Path
        Named in errors.
    signal : Signal

    Returns
    -------
    tuple of float
        (row, column) [nm]

    Raises
    ------
    ReadError
        If the file has no pixel size.
    """
    header = header_pixel_size(signal)
    if header is None:
        unit = signal.units[-1]
        has = f"a pixel size in {unit!r}, which is no length" if unit else "no pixel size"
        raise ReadError(f"{path.name} has {has}; give it with --pixel-size NM (pixel_size=…)")
    return header


def load_signals(path: Path) -> list[Signal]:
    """Load every dataset of a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Signal

    Raises
    ------
    ReadError
        If the file cannot be read, whatever the reader raised.
    """
    suffix = path.suffix.lower()
    if suffix == ".zspy":  # its reader needs zarr < 3, which decodes by whatever the file names
        raise ReadError(f"{path.name} is a Zarr store, whose reader may run code from it; save it as .hspy")
    if not path.is_file():
        raise ReadError(f"{path} is not a file; check the path")
    if path.stat().st_size == 0:
        raise ReadError(f"{path.name} is empty (0 bytes); copy it again")
    too_large = explain_claim(path)
    if too_large:
        raise ReadError(too_large)
    load = {
        ".npy": _load_numpy,
        **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), _load_picture),
        **dict.fromkeys((".tif", ".tiff"), _load_tiff),
    }.get(suffix, _load_rosettasciio)
    try:
        return load(path)
    except ReadError:
        raise
    except ImportError as error:
        raise ReadError(f"{path.name} needs a library that is not installed ({error})") from None
    except MemoryError:
        raise ReadError(f"{path.name} claims more pixels than fit in memory; is it whole?") from None
    except Exception as error:
        # Readers raise anything at all on a damaged file.
        what = " ".join(str(error).split())[:120]
        raise ReadError(
            f"{path.name} cannot be read, it is damaged or cut off ({type(error).__name__}: {what})"
            "; copy it again"
        ) from None


def _load_numpy(path: Path) -> list[Signal]:
    data = np.load(path, allow_pickle=False)
    if data.ndim == 3 and data.shape[2] in (3, 4) and data.dtype == np.uint8:
        data = _structured(data)
    n = data.ndim
    return [Signal(data, [None] * n, [1.0] * n, [n == 3 and i == 0 for i in range(n)])]


def _load_picture(path: Path) -> list[Signal]:
    from PIL import Image

    with Image.open(path) as picture:
        if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
            picture = picture.convert("RGB")  # type: ignore[assignment]
        data = np.asarray(picture)
    if data.ndim == 3:
        data = _structured(data) if data.shape[2] >= 3 else data[..., 0]
    return [Signal(data, [None, None], [1.0, 1.0], [False, False])]


def _structured(data: NDArray[Any]) -> NDArray[Any]:
    """View (M, N, 3 or 4) colours as (M, N) pixels with fields R, G, B(, A)."""
    names = list("RGBA"[: data.shape[2]])
    dtype = np.dtype({"names": names, "formats": [data.dtype] * len(names)})
    return np.ascontiguousarray(data).view(dtype)[..., 0]


def _load_tiff(path: Path) -> list[Signal]:
    import tifffile
    from rsciio.tiff import file_reader

    with tifffile.TiffFile(path) as tiff:
        _check_tiff_whole(path, tiff)
        pages = [series.keyframe for series in tiff.series]
        fallbacks = [_tiff_scale(tiff, page) for page in pages]
        axes = [str(series.axes) for series in tiff.series]
        ome = tifffile.xml2dict(tiff.ome_metadata) if tiff.ome_metadata else None
        imagej = tiff.imagej_metadata or {}
    signals = [_as_signal(entry) for entry in file_reader(str(path))]
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
        signal._replace(headers=read_ome(image, len(signal.frames)))
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


def _load_rosettasciio(path: Path) -> list[Signal]:
    reader = _find_reader(path)
    signals = [_as_signal(entry) for entry in reader(str(path))]
    if path.suffix.lower() in (".dm3", ".dm4"):
        _check_digital_micrograph_whole(path)
    return signals


def _find_reader(path: Path) -> Any:
    from importlib import import_module

    suffix = path.suffix.lower()[1:]
    if suffix in ("dm3", "dm4"):  # saves the 50 ms that importing the registry takes
        return import_module("rsciio.digitalmicrograph").file_reader
    from rsciio import IO_PLUGINS

    # PantaRhei files are pickles, which run whatever code they hold.
    apis = [
        plugin["api"]
        for plugin in IO_PLUGINS
        if suffix in (e.lower() for e in plugin["file_extensions"]) and plugin["name"] != "PantaRhei"
    ]
    if not apis:
        raise ReadError(f"{path.name}: no reader for '.{suffix}' files; save it as TIFF or DM3")

    def read_first(filename: str) -> Any:
        error: Exception | None = None
        for api in apis:
            try:
                return import_module(api).file_reader(filename)
            except Exception as e:
                # Later plugins may complain about another format: keep the first error.
                error = e if error is None or isinstance(error, ImportError) else error
        assert error is not None
        raise error

    return read_first


def _check_digital_micrograph_whole(path: Path) -> None:
    """Compare the length in the header of a DM3 or DM4 file with the file's own."""
    with path.open("rb") as file:
        version = int.from_bytes(file.read(4), "big")
        length = int.from_bytes(file.read(4 if version == 3 else 8), "big")
    needed, size = length + (16 if version == 3 else 24), path.stat().st_size
    if size < needed:
        raise ReadError(f"{path.name} is cut off: {size} of {needed} bytes; copy it again")


def _as_signal(entry: Mapping[str, Any]) -> Signal:
    axes, data = entry["axes"], np.asarray(entry["data"])
    metadata = entry.get("metadata")
    title = as_text(look_up(metadata, "General", "title")) or ""
    return Signal(
        data=data,
        units=[None if a.get("units") is None else str(a["units"]) for a in axes],
        scales=[float(a.get("scale", 1.0)) for a in axes],
        stacked=[bool(a.get("navigate", False)) for a in axes],
        title=title,
        kind=as_text(look_up(metadata, "Signal", "signal_type")) or "",
        modality=_find_modality(title, entry.get("original_metadata")),
        headers=(read_header(entry, data.shape[-2:]),),
    )


def _find_modality(title: str, original: Any) -> str | None:
    """Find the modality in the signal's name or a TEM's imaging mode; None if neither says it."""
    tags: Mapping[str, Any] = {}
    for image in as_mapping(look_up(original, "ImageList")).values():
        tags = as_mapping(look_up(image, "ImageTags")) or tags
    signal_name = as_text(look_up(tags, "DataBar", "Signal Name")) or ""
    words = re.findall(r"[a-z]+", f"{title} {signal_name}".lower())
    for word in words:
        if word in MODALITIES:
            return str(word)
        if word in ("ceta", "hrem"):
            return "hrtem"
    info = as_mapping(look_up(tags, "Microscope Info"))
    if (as_text(info.get("Illumination Mode")), as_text(info.get("Imaging Mode"))) == ("TEM", "IMAGING"):
        return "hrtem"
    return None
