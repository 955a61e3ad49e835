"""Read MRC files: byte order, signed bytes and pixel size, which programs write in several ways."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files.entries import describe_signal
from porescope.files.signals import ReadError, Signal

#: Types of a pixel by the header's mode, without byte order; 0 is signed or unsigned.
_TYPES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2"}
#: IMOD's mark in the header; the first of its flags says that bytes are signed.
_IMOD_STAMP = 1146047817


class _Head(NamedTuple):
    """The header of an MRC file, as far as it matters here."""

    order: str  # "<" or ">"
    shape: tuple[int, int, int]  # slices, rows, columns
    mode: int
    grid: tuple[int, int, int]  # intervals of the cell in x, y, z
    cell: tuple[float, float, float]  # x, y, z [Å]
    axes: tuple[int, int, int]  # which of x, y, z columns, rows and slices run along, from 1
    extrema: tuple[float, float, float]  # least, largest, mean value
    extended: int  # length of the extended header [bytes]
    version: int
    imod: tuple[int, int]  # stamp and flags


def load_mrc(path: Path, lazy: bool) -> list[Signal]:
    """Load an MRC file (MRC2014, doi:10.1016/j.jsb.2015.04.002).

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
        If it is cut off, or of a kind that is not read.
    """
    from rsciio.mrc import file_reader

    head = _read_head(path)
    entry = file_reader(str(path), lazy=True, endianness=head.order)[0]  # for its metadata
    if len(entry["axes"]) > 3 or "de_metadata" in entry["original_metadata"]:
        return [describe_signal({**entry, "data": entry["data"] if lazy else entry["data"].compute()})]
    data, remark = _map_data(path, head)
    transposed = head.axes[:2] == (2, 1)
    data = data.swapaxes(1, 2) if transposed else data
    sizes = [length / n if n else 0.0 for length, n in zip(head.cell[:2], head.grid[:2], strict=True)]
    scales, unit = [1.0, *sizes[::-1]], "Å"
    if "fei_header" in entry["original_metadata"]:  # has a pixel size of its own
        scales, unit = [1.0, *(axis["scale"] for axis in entry["axes"][-2:])], "nm"
    names = [(None, True), (unit if min(scales[1:]) > 0 else None, False)]
    axes = [
        {"units": units, "navigate": stacked, "scale": scale}
        for scale, (units, stacked) in zip(scales, [names[0], names[1], names[1]], strict=True)
    ]
    if head.shape[0] == 1:
        data, axes = data[0], axes[1:]
    signal = describe_signal({**entry, "data": data if lazy else np.array(data), "axes": axes})
    return [signal.with_remark(remark)]


def _read_head(path: Path) -> _Head:
    with path.open("rb") as file:
        raw = file.read(1024)
    if len(raw) < 1024:
        raise ReadError(f"{path.name} is cut off within its header: {len(raw)} of 1024 bytes; copy it again")
    # The machine stamp says the byte order; some programs leave it empty, but MAPC is always small.
    order = {0x44: "<", 0x11: ">"}.get(raw[212]) or ("<" if raw[64:66] != b"\0\0" else ">")
    ints = struct.unpack(order + "56i", raw[:224])
    floats = struct.unpack(order + "56f", raw[:224])
    nx, ny, nz, mode = ints[:4]
    if mode not in _TYPES or min(nx, ny, nz) < 1:
        raise ReadError(
            f"{path.name} has MRC mode {mode} and {nx} × {ny} × {nz} px, which is not read; convert it"
        )
    axes = ints[16:19]
    if axes[:2] not in ((1, 2), (2, 1), (0, 0)):
        raise ReadError(f"{path.name} stores its slices along axis {axes[2]}, not z; convert it")
    return _Head(
        order=order,
        shape=(nz, ny, nx),
        mode=mode,
        grid=ints[7:10],
        cell=floats[10:13],
        axes=axes,
        extrema=floats[19:22],
        extended=max(ints[23], 0),
        version=ints[27],
        imod=(ints[38], ints[39]),
    )


def _map_data(path: Path, head: _Head) -> tuple[NDArray[Any], str]:
    dtype = np.dtype(head.order + _TYPES[head.mode])
    start = 1024 + head.extended
    needed, size = start + int(np.prod(head.shape, dtype=object)) * dtype.itemsize, path.stat().st_size
    if size < needed:
        raise ReadError(f"{path.name} is cut off: {size} of {needed} bytes; copy it again")
    data = np.memmap(path, dtype, "r", start, head.shape)
    if head.mode != 0:
        return data, ""
    signed = _has_signed_bytes(head, data)
    remark = "bytes are read as signed (MRC2014); old programs store them unsigned"
    if signed is None:
        return data, remark if (data[0] < 0).any() else ""
    return data if signed else data.view("u1"), ""


def _has_signed_bytes(head: _Head, data: NDArray[Any]) -> bool | None:
    """Whether bytes are signed, by the extrema and the mean in the header; None if it does not say."""
    least, most, mean = head.extrema
    if least <= most:  # otherwise the program did not count
        if least < 0:
            return True
        if most > 127:
            return False
    if head.imod[0] == _IMOD_STAMP:
        return bool(head.imod[1] & 1)
    if least < most and mean > 0:
        means = [abs(float(np.mean(data[0].view(kind))) - mean) for kind in ("u1", "i1")]
        if means[0] != means[1]:
            return means[1] < means[0]
    return None
