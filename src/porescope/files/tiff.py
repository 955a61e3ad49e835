"""Read TIFFs: their pages, series and channels, and what ImageJ, OME and microscopes write in them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files.arrays import name_samples, refuse_order
from porescope.files.claims import measure_series, refuse_claim
from porescope.files.entries import describe_signal, name_modality, names_detector
from porescope.files.headers import Header, as_mapping, as_text, look_up, read_interval, read_ome
from porescope.files.signals import ReadError, Signal, header_pixel_size
from porescope.files.units import nanometres, read_resolution
from porescope.modalities import MODALITIES

#: Axis of an array that tifffile saved without being told its axes.
_ANONYMOUS = "Q"
#: Tags in which microscopes write the pixel size of a page, and where in the tag.
_MAKERS: dict[int, tuple[tuple[Any, ...], ...]] = {
    34682: (("Scan", "PixelWidth"),), 34680: (("Scan", "PixelWidth"),),  # FEI
    34118: (("", 3),),  # Zeiss
    37706: (("PixelSizeX",),),  # TVIPS
    33560: (("pixelsizex",),), 33471: (("pixelsizex",),),  # Olympus
    65009: ((),), 65010: ((),),  # DigitalMicrograph
}  # fmt: skip


class _Series(NamedTuple):
    """A series of a TIFF's pages: how its pixels are turned into grey, and which pages are its frames."""

    number: int  # of the series in the file
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    photometric: int
    colormap: NDArray[Any] | None
    alpha: bool  # whether the last sample is alpha
    inverted: bool  # whether the least value is white
    paged: bool  # whether each frame is a page
    names: tuple[str, ...]  # of its channels; none where channels are not told apart

    @property
    def leading(self) -> tuple[str, tuple[int, ...]]:
        """Axes that are neither rows, columns nor samples, and their sizes."""
        kept = [(a, n) for a, n in zip(self.axes, self.shape, strict=True) if a not in "YXS"]
        if not self.names:  # channels without names may be anything, also the frames of a movie
            kept = [("I" if a == "C" else a, n) for a, n in kept]
        return "".join(a for a, _ in kept), tuple(n for _, n in kept)


def load_tiff(path: Path) -> list[Signal]:
    """Load every dataset of a TIFF; the frames of a large one are read when they are asked for.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Signal
        One for each channel of each series, and for each page that has a pixel size of its own.

    Raises
    ------
    ReadError
        If it is cut off, does not fit into the memory, or its colours or planes cannot be told from frames.
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        calibrations = _check_tiff_whole(path, tiff)
        claim = measure_series(tiff.series)
        refuse_claim(path, claim)
        imagej = tiff.imagej_metadata or {}
        images = _list_ome(path, tiff)
        others, copied = _split_levels(tiff, calibrations)
        listed, images = [*tiff.series, *others], [*images, *([None] * len(others))]
        series = [_describe_series(i, s, imagej, images[i]) for i, s in enumerate(listed)]
        series = [s._replace(paged=s.paged and s.number < len(tiff.series)) for s in series]
        for s in series:
            if s.leading[0] == _ANONYMOUS and "S" not in s.axes:
                refuse_order(path, (*s.leading[1], *s.shape[-2:]), np.dtype(bool))
        lazy = claim.is_large and any(s.paged for s in series)
        arrays = [None if lazy and s.paged else listed[s.number].asarray() for s in series]
        scales = [
            _find_scales(path, listed[s.number], calibrations, imagej, images[s.number]) for s in series
        ]
    entries = _read_entries(path, series, lazy)
    signals: list[Signal] = []
    for s, entry, array, found in zip(series, entries, arrays, scales, strict=True):
        for channel in range(len(s.names) or 1):
            data = _TiffFrames(path, s, channel) if array is None else _develop(path, s, array, channel)
            signal = _describe_channel(entry, s, data, channel, imagej, images[s.number])
            if "C" in s.axes and not s.names and signal.n_frames > 1:
                signal = signal.with_remark("its channels have no names and are read as frames")
            if s.number in copied:
                signal = signal.with_remark("smaller pages in the file are taken for copies and left out")
            if s.inverted:
                signal = signal.with_remark("white is stored as the least value; grey values are inverted")
            signals += _calibrate(signal, found)
    return signals


def _describe_series(number: int, series: Any, imagej: Mapping[str, Any], image: Any) -> _Series:
    page, luts = series.keyframe, imagej.get("LUTs", [])
    kept = [(a, int(n)) for a, n in zip(series.axes, series.shape, strict=True) if a in "YX" or n > 1]
    axes, shape = "".join(a for a, _ in kept), tuple(n for _, n in kept)
    n_channels = shape[axes.index("C")] if "C" in axes else 1
    luts = luts if isinstance(luts, list) else [luts]
    dark_is_high = (
        len(luts) > 0 and np.ndim(luts[0]) == 2 and int(luts[0][:, 0].sum()) > int(luts[0][:, -1].sum())
    )
    return _Series(
        number=number,
        axes=axes,
        shape=shape,
        dtype=np.dtype(series.dtype),
        photometric=int(page.photometric),
        colormap=page.colormap if int(page.photometric) == 3 else None,
        alpha=any(int(kind) in (1, 2) for kind in page.extrasamples),
        inverted=int(page.photometric) == 0 or dark_is_high,
        paged=len(series) > 1 and len(series) == prod(series.shape[: -page.ndim or None]),
        names=_name_channels(n_channels, imagej, image) if n_channels > 1 else (),
    )


def _split_levels(tiff: Any, said: Mapping[int, Any]) -> tuple[list[Any], set[int]]:
    """Smaller pages that show another field of view; numbers of the series of which some are copies."""
    others, copied = [], set()
    for number, series in enumerate(tiff.series):
        # tifffile takes pages for copies by their size; those in SubIFDs are copies by their place.
        for level in [own for own in series.levels[1:] if not own.keyframe.is_subifd]:
            fields = []
            for page in (series.keyframe, level.keyframe):
                resolution, unit, _ = said[page.index]
                if size := read_resolution(resolution, unit):
                    fields.append(size[1] * page.imagewidth)
            if len(fields) == 2 and max(fields) > 1.05 * min(fields):
                others.append(level)
            else:
                copied.add(number)
    return others, copied


def _read_entries(path: Path, series: list[_Series], lazy: bool) -> list[Mapping[str, Any]]:
    """Read the metadata by rosettasciio, which knows the makers' tags; none if it cannot read the file."""
    from rsciio.tiff import file_reader

    # It expects colours on the last axis, and leaves the file open where they are not.
    if all(not 0 <= s.axes.find("S") < s.axes.find("X") for s in series):
        with suppress(Exception):  # a maker's tags of any content
            entries: list[Mapping[str, Any]] = file_reader(str(path), lazy=lazy)
            if len(entries) == len(series):
                return entries
    return [{"axes": [], "metadata": {}, "original_metadata": {}} for _ in series]


def _develop(path: Path, series: _Series, array: NDArray[Any], channel: int = 0) -> NDArray[Any]:
    """Turn the array of a series into images of one channel, in grey or with fields for colours."""
    axes, array = series.axes, array.reshape(series.shape)
    if "S" in axes:
        planar = axes.index("S") < axes.index("X")
        array = np.moveaxis(array, axes.index("S"), -1)
        array = _take_samples(path, series, array, planar)
    elif series.colormap is not None:
        array = name_samples(np.moveaxis(series.colormap[:, array], 0, -1))
    kept, sizes = series.leading
    array = array.reshape(*sizes, *array.shape[-2:])
    if "C" in kept:
        array = np.take(array, channel, axis=kept.index("C"))
        kept = kept.replace("C", "")
    if series.inverted and array.dtype.names is None:
        array = _invert(array)
    return array


def _take_samples(path: Path, series: _Series, array: NDArray[Any], planar: bool) -> NDArray[Any]:
    """Turn samples on the last axis into grey or fields for colours, as far as it is known what they are."""
    n = array.shape[-1]
    colours = series.photometric in (2, 6)
    if colours and n >= 3 and (n == 3 or n == 4 and series.alpha):
        grey = np.array_equal(array[..., 0], array[..., 1]) and np.array_equal(array[..., 0], array[..., 2])
        if planar and not grey:
            raise ReadError(
                f"{path.name} stores 3 planes as planar RGB, which may be colours or frames that a program "
                "marked so (tifffile does); save it with photometric='minisblack', or in grey"
            )
        return name_samples(array)
    if series.photometric in (0, 1) and n == 2 and series.alpha:
        return name_samples(array)
    kind = {2: "RGB", 5: "CMYK", 6: "YCbCr", 8: "CIELAB"}.get(series.photometric, "grey")
    raise ReadError(
        f"{path.name} stores {n} samples a pixel ({kind}) and not which of them is the image; save it in grey"
    )


def _invert(array: NDArray[Any]) -> NDArray[Any]:
    """Turn white into black; floats have no largest value, so their sign is turned."""
    if array.dtype.kind == "u":
        return np.iinfo(array.dtype).max - array
    return -1 - array if array.dtype.kind == "i" else -array


class _TiffFrames:
    """The frames of one channel of a TIFF's series, read one at a time."""

    def __init__(self, path: Path, series: _Series, channel: int) -> None:
        axes, sizes = series.leading
        pages = np.arange(prod(sizes)).reshape(sizes)
        if "C" in axes:
            pages = np.take(pages, channel, axis=axes.index("C"))
        self.path, self.series, self.pages = path, series, pages
        image = tuple(n for a, n in zip(series.axes, series.shape, strict=True) if a in "YX")
        self.shape, self.ndim, self.dtype = (*pages.shape, *image), pages.ndim + 2, series.dtype
        self.size = prod(self.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, frame: int) -> NDArray[Any]:
        import tifffile

        with tifffile.TiffFile(self.path) as tiff:
            array = np.asarray(tiff.asarray(series=self.series.number, key=int(self.pages[frame])))
        own = "".join(a for a in self.series.axes if a in "YXS")
        alone = self.series._replace(axes=own, shape=array.shape, paged=False)
        return _develop(self.path, alone, array)


def _describe_channel(
    entry: Mapping[str, Any], series: _Series, data: Any, channel: int, imagej: Any, image: Any
) -> Signal:
    """Describe one channel of a series by what the file says of it."""
    named = {axis.get("name"): axis for axis in entry["axes"]}
    sides = [named.get(name, {}) for name in ("height", "width")]
    n = data.ndim
    leading = series.leading[0].replace("C", "")
    first: list[dict[str, Any]] = [{"navigate": True, "scale": 1.0} for _ in range(n - 2)]
    signal = describe_signal(
        {**entry, "data": data, "axes": [*first, *({**side, "navigate": False} for side in sides)]}
    )
    units, scales = list(signal.units), list(signal.scales)
    if units[-1] and not units[-2]:  # ImageJ writes one unit for both axes
        units[-2] = units[-1]
    step = read_interval(imagej)
    if step is not None and n == 3 and leading.startswith("T"):
        units[0], scales[0] = "s", step
    name, said, headers = signal.title, as_text(imagej.get("modality")), signal.headers
    if image is not None:
        name, headers = as_text(look_up(image, "Name")) or "", _read_ome_planes(image, series, channel, n)
    if names := series.names or [n for n in _name_channels(1, {}, image) if names_detector(n)]:
        name = names[channel]
    return signal._replace(
        units=units,
        scales=scales,
        title=name,
        headers=headers,
        modality=(said if said in MODALITIES else None) or signal.modality or name_modality(name),
        channel=name if series.names or names_detector(name) else "",
    )


def _name_channels(n: int, imagej: Mapping[str, Any], image: Any) -> tuple[str, ...]:
    """Names of the channels of a series; none unless each has a name of its own."""
    listed = _as_list(look_up(image, "Pixels", "Channel"))
    # ImageJ's labels are often those of frames.
    labels = [label for t in (imagej.get("Labels") or [])[:n] if names_detector(label := as_text(t) or "")]
    names = [name for c in listed[:n] if (name := as_text(look_up(c, "Name")))] or labels
    if len(set(names)) == n:
        return tuple(names)
    colours = imagej.get("mode") in ("composite", "color")
    return tuple(f"channel {k}" for k in range(n)) if colours else ()


def _read_ome_planes(
    image: Mapping[str, Any], series: _Series, channel: int, ndim: int
) -> tuple[Header, ...]:
    """Stage positions and times of the images of one OME channel."""
    pixels = as_mapping(look_up(image, "Pixels"))
    planes = _as_list(pixels.get("Plane"))
    if series.names:
        planes = [plane for plane in planes if as_mapping(plane).get("TheC", 0) == channel]
    n_frames = prod(n for a, n in zip(*series.leading, strict=True) if a != "C") if ndim > 2 else 1
    return read_ome({**image, "Pixels": {**pixels, "Plane": planes}}, n_frames)


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _list_ome(path: Path, tiff: Any) -> list[Mapping[str, Any] | None]:
    """OME's description of each series; None where there is none."""
    import tifffile

    n = len(tiff.series)
    if not tiff.ome_metadata:
        return [None] * n
    images = [as_mapping(i) for i in _as_list(look_up(tifffile.xml2dict(tiff.ome_metadata), "OME", "Image"))]
    if len(images) != n:
        raise ReadError(
            f"{path.name} describes {len(images)} images (OME) but holds {n}: their pixel sizes are not "
            "certain; save each image in a file of its own"
        )
    return list(images)


def _check_tiff_whole(path: Path, tiff: Any) -> dict[int, Any]:
    """Refuse a TIFF that is cut off, which tifffile itself would read in part.

    Returns what each page says of its pixel size: resolution, unit, and the makers' values.
    """
    size = path.stat().st_size
    ends: list[int] = []
    said: dict[int, Any] = {}
    pages = list(tiff.pages)
    for page in pages:
        ends += [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
        said[page.index] = page.resolution, int(page.resolutionunit or 1), _read_makers(page)
    if not ends:
        raise ReadError(f"{path.name} holds no image")
    claimed = int((tiff.imagej_metadata or {}).get("images", 1))
    if claimed > 1 and len(pages) == 1:  # ImageJ may store a large stack behind one page
        ends = [pages[0].dataoffsets[0] + claimed * sum(pages[0].databytecounts)]
    if max(ends) > size or 1 < len(pages) < claimed:
        raise ReadError(
            f"{path.name} is cut off: its pages need {max(ends)} bytes for {claimed} images, the "
            f"file has {size} and {len(pages)} pages; copy it again"
        )
    return said


def _read_makers(page: Any) -> Hashable:
    """Values of a page's tags in which microscopes write its pixel size."""
    found = []
    for code, paths in _MAKERS.items():
        tag = page.tags.get(code)
        for path in paths if tag is not None else ():
            value = tag.value
            with suppress(Exception):  # a tag of any content
                for key in path:
                    value = value[key]
                found.append((code, str(value)[:100]))
    return tuple(found)


def _find_scales(
    path: Path, series: Any, said: Mapping[int, Any], imagej: Any, image: Any
) -> list[tuple[float, float] | None]:
    """Pixel sizes (row, column) [nm] of the pages of a series; one if they are the same."""
    if image is not None:
        return [_read_ome_scale(image)]
    pages = {page.index: said.get(page.index) for page in series.pages if page is not None}
    own = [value for value in pages.values() if value is not None]
    if len({makers for *_, makers in own}) > 1:
        raise ReadError(f"{path.name} holds pages of different pixel sizes; save each in a file of its own")
    keyframe = series.keyframe
    different = len({(resolution, unit) for resolution, unit, _ in own}) > 1 and len(own) == len(series)
    known = own if different else [(keyframe.resolution, int(keyframe.resolutionunit or 1), ())]
    name = str(imagej.get("unit", ""))
    return [read_resolution(resolution, unit, name) for resolution, unit, _ in known]


def _read_ome_scale(image: Mapping[str, Any]) -> tuple[float, float] | None:
    pixels = as_mapping(look_up(image, "Pixels"))
    sizes = [
        float(pixels.get(f"PhysicalSize{axis}", 0))
        * (nanometres(str(pixels.get(f"PhysicalSize{axis}Unit", "µm"))) or 0)
        for axis in "YX"
    ]
    return (sizes[0], sizes[1]) if min(sizes) > 0 else None


def _calibrate(signal: Signal, found: list[tuple[float, float] | None]) -> list[Signal]:
    """Give a signal the pixel size that its maker does not say; one signal a page if they differ."""
    if header_pixel_size(signal) is not None:
        return [signal]
    several = len(found) > 1
    calibrated = []
    for k, scale in enumerate(found):
        part = signal
        if several:
            headers = (signal.headers[k],) if len(signal.headers) == len(found) else signal.headers
            part = signal._replace(
                data=signal.data[k],
                units=signal.units[1:],
                scales=signal.scales[1:],
                stacked=signal.stacked[1:],
            )._replace(headers=headers)
        if scale is not None:
            nm: list[str | None] = ["nm", "nm"]
            part = part._replace(units=[*part.units[:-2], *nm], scales=[*part.scales[:-2], *scale])
        calibrated.append(part)
    return calibrated
