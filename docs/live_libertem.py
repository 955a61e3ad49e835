"""Frames of a camera that LiberTEM-live reads, written into a folder that ``porescope watch`` watches.

    pip install libertem-live tifffile
    porescope watch today -o live --modality hrtem &
    python live_libertem.py today 5

The detector here is LiberTEM-live's ``memory``, which replays an array: camera frames of a sheet with a hole.
For a real camera take its name instead (``merlin``, ``dectris``, ``asi_tpx3``), as its documentation
says.
"""

from __future__ import annotations

import os
import pathlib
import sys

import numpy as np
import tifffile
from libertem.udf.base import UDF
from libertem_live.api import LiveContext

#: Pixel size of the camera's frames, which it does not tell [nm].
PIXEL_NM = 0.03


class WriteFrames(UDF):
    """Writes each frame as a file of its own, as soon as it is there."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder=folder)

    def get_result_buffers(self) -> dict[str, object]:
        """One number a frame: whether it was written."""
        return {"written": self.buffer(kind="nav", dtype=bool)}

    def process_frame(self, frame: np.ndarray) -> None:
        """Write one frame."""
        folder, number = pathlib.Path(self.params.folder), int(self.meta.coordinates[0][-1])
        part = folder / f"frame_{number:04d}.part"  # a name that is not looked for, until the file is whole
        resolution = (1 / PIXEL_NM, 1 / PIXEL_NM)
        tifffile.imwrite(
            part, frame.astype(np.float32), imagej=True, resolution=resolution, metadata={"unit": "nm"}
        )
        os.replace(part, folder / f"frame_{number:04d}.tif")
        self.results.written[:] = True


def draw_frames(n: int, size: int = 256) -> np.ndarray:
    """Draw frames of a hexagonal sheet with a hole that grows."""
    y, x = np.mgrid[:size, :size] * PIXEL_NM
    waves = [np.cos(2 * np.pi / 0.273 * (x * np.cos(a) + y * np.sin(a))) for a in np.radians((10, 70, 130))]
    sheet, distance = 100 + 12 * sum(waves), np.hypot(y - y.mean(), x - x.mean())
    dose = [np.where(distance < 0.5 + 0.1 * i, 140, sheet) for i in range(n)]
    return np.random.default_rng(0).poisson(dose).astype(np.float32)[None]


def main(folder: pathlib.Path, n: int) -> None:
    """Acquire a row of frames."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        LiveContext.make_with("inline") as context,
        context.make_connection("memory").open(
            data=draw_frames(n), extra_kwargs={"sig_dims": 2}
        ) as connection,
    ):
        acquisition = context.make_acquisition(conn=connection, nav_shape=(1, n))
        written = context.run_udf(dataset=acquisition, udf=WriteFrames(str(folder)))["written"]
        print(f"{int(np.sum(written.data))} frames")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
