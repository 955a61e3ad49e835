from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from porescope import read
from porescope.files import ReadError


@pytest.mark.parametrize(
    ("unit", "resolution", "nm"),
    [
        ("CENTIMETER", 1e7 / 0.5, 0.5),
        ("INCH", 2.54e7 / 0.05, 0.05),
        ("INCH", 72, None),
        ("INCH", 96, None),
        ("INCH", 300, None),
        ("NONE", 20, None),
    ],
)
def test_resolution_tags_count_where_they_make_sense(
    tmp_path: Path, unit: str, resolution: float, nm: float | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((3, 4), np.uint8), resolution=(resolution,) * 2, resolutionunit=unit)
    if nm is None:
        with pytest.raises(ReadError, match="--pixel-size"):
            read(path)
    else:
        assert read(path).pixel_size == pytest.approx((nm, nm))


@pytest.mark.parametrize(("unit", "nm"), [("nm", 1), ("micron", 1e3), ("\\u00B5m", 1e3), ("pm", 1e-3)])
def test_imagej_units(tmp_path: Path, unit: str, nm: float) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.ones((3, 4), np.uint8), imagej=True, resolution=(20, 20), metadata={"unit": unit}
    )
    assert read(path).pixel_size == pytest.approx((nm / 20, nm / 20))


def test_ome_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "YX", "PhysicalSizeX": 40, "PhysicalSizeXUnit": "pm", "PhysicalSizeY": 0.00004}
    tifffile.imwrite(path, np.ones((3, 4), np.uint16), ome=True, metadata=metadata)
    assert read(path).pixel_size == pytest.approx((0.04, 0.04))
