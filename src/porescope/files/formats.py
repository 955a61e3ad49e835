"""Microscope files: what they hold, in which unit, and why some of it is no micrograph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.modalities import MODALITIES

_NANOMETRES = {
    "pm": 1e-3,
    "å": 0.1, "angstrom": 0.1, "ångström": 0.1, "ang": 0.1, "a": 0.1,
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "micron": 1e3, "micrometer": 1e3, "micrometre": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6,
    "cm": 1e7, "centimeter": 1e7, "centimetre": 1e7,
    "inch": 2.54e7,
    "m": 1e9, "meter": 1e9, "metre": 1e9,
}  # fmt: skip


class ReadError(ValueError):
    """A file that is not a micrograph porescope can trust; the message says why and what to do."""


class Signal(NamedTuple):
    """One dataset of a file: its values, and of each axis (nm-able unit, scale, is a stack's)."""

    data: NDArray[Any]
    units: list[str | None]
    scales: list[float]
    stacked: list[bool]
    title: str = ""
    kind: str = ""
    modality: str | None = None

    @property
    def frames(self) -> NDArray[Any]:
        """The images, shape (K, M, N)."""
        return self.data if self.data.ndim == 3 else self.data[None]


def choose_images(path: Path, signals: list[Signal]) -> list[Signal]:
    """Keep the signals that are images in real space; say why where there is none."""
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
    # A page without a scale beside one that has it is a preview or an annotated copy.
    return calibrated or images


def _why_no_image(signal: Signal) -> str | None:
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
    """Turn structured RGB pixels grey (Rec. 601); leave the rest."""
    if data.dtype.names is None:
        return data
    red, green, blue = (data[c].astype(np.float32) for c in "RGB")
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)


def _nanometres(unit: str | None) -> float | None:
    """Nanometres in one ``unit``, whatever its spelling; None if it is no length."""
    key = (unit or "").strip().lower().replace("_", "").replace("µ", "u").replace("μ", "u")
    return _NANOMETRES.get(key, _NANOMETRES.get(key.removesuffix("s")))


def header_pixel_size(signal: Signal) -> tuple[float, float] | None:
    """Pixel size (row, column) [nm] that the file gives; None if it gives none."""
    factors = [_nanometres(unit) for unit in signal.units[-2:]]
    if None in factors:
        return None
    row, column = (float(s) * f for s, f in zip(signal.scales[-2:], factors, strict=True) if f is not None)
    return row, column


def require_pixel_size(path: Path, signal: Signal) -> tuple[float, float]:
    """Pixel size (row, column) [nm] that the file gives; an error if it gives none."""
    header = header_pixel_size(signal)
    if header is None:
        unit = signal.units[-1]
        has = f"a pixel size in {unit!r}, which is no length" if unit else "no pixel size"
        raise ReadError(f"{path.name} has {has}; give it with --pixel-size NM (pixel_size=…)")
    return header


def load_signals(path: Path) -> list[Signal]:
    """Load every dataset of a file; whatever a reader raises becomes one sentence."""
    suffix = path.suffix.lower()
    if not path.is_file():
        raise ReadError(f"{path} is not a file; check the path")
    if path.stat().st_size == 0:
        raise ReadError(f"{path.name} is empty (0 bytes); copy it again")
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
    signals = [_as_signal(entry) for entry in file_reader(str(path))]
    for i, (signal, scale) in enumerate(zip(signals, fallbacks, strict=True)):
        if signal.units[-1] and not signal.units[-2]:  # ImageJ writes one unit for both axes
            signal.units[-2] = signal.units[-1]
        if scale is not None and header_pixel_size(signal) is None:
            units: list[str | None] = [*signal.units[:-2], "nm", "nm"]
            signals[i] = signal._replace(units=units, scales=[*signal.scales[:-2], *scale])
    return signals


def _check_tiff_whole(path: Path, tiff: Any) -> None:
    """Refuse a cut-off TIFF; tifffile would give the frames that are left."""
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
    """Pixel size (row, column) [nm] from OME, ImageJ or the resolution tags.

    rosettasciio reads the makers' own tags, but of these only ImageJ's microns.
    """
    if tiff.ome_metadata:
        import tifffile

        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        sizes = [
            float(pixels.get(f"PhysicalSize{axis}", 0))
            * (_nanometres(pixels.get(f"PhysicalSize{axis}Unit", "µm")) or 0)
            for axis in "YX"
        ]
        return (sizes[0], sizes[1]) if min(sizes) > 0 else None
    column, row = page.resolution
    if min(row, column) <= 0:
        return None
    name = str((tiff.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
    unit = _nanometres(name)
    if unit is not None and name not in ("inch", "cm"):
        return unit / row, unit / column
    unit = unit or {2: 2.54e7, 3: 1e7}.get(int(page.resolutionunit or 1))
    if unit is None:
        return None
    # 1 µm a pixel or more: printers' dots (72, 96, 300 dpi), not a microscope's scale.
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
    if suffix in ("dm3", "dm4"):  # spares the registry's 50 ms
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
                # The last plugin's complaint may concern another format; keep the telling one.
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
    axes = entry["axes"]
    metadata = _as_dict(entry["metadata"])
    title = str(metadata.get("General", {}).get("title", ""))
    kind = str(metadata.get("Signal", {}).get("signal_type", ""))
    return Signal(
        data=np.asarray(entry["data"]),
        units=[None if a.get("units") is None else str(a["units"]) for a in axes],
        scales=[float(a.get("scale", 1.0)) for a in axes],
        stacked=[bool(a.get("navigate", False)) for a in axes],
        title=title,
        kind=kind,
        modality=_find_modality(title, _as_dict(entry.get("original_metadata", {}))),
    )


def _as_dict(metadata: Any) -> dict[str, Any]:
    return metadata if isinstance(metadata, dict) else dict(metadata.as_dictionary())


def _find_modality(title: str, original: dict[str, Any]) -> str | None:
    """Modality from the signal's name, or from a TEM's imaging mode; None if neither tells."""
    tags: dict[str, Any] = {}
    image_list = original.get("ImageList", {})
    for key in image_list:
        tags = _as_dict(image_list[key]).get("ImageTags", {}) or tags
    signal_name = str(tags.get("DataBar", {}).get("Signal Name", ""))
    words = re.findall(r"[a-z]+", f"{title} {signal_name}".lower())
    for word in words:
        if word in MODALITIES:
            return str(word)
        if word in ("ceta", "hrem"):
            return "hrtem"
    info = tags.get("Microscope Info", {})
    if info.get("Illumination Mode") == "TEM" and info.get("Imaging Mode") == "IMAGING":
        return "hrtem"
    return None
