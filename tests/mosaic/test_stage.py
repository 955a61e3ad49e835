from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from porescope.mosaic.stage import check_stage, lay_grid, read_stage

FILES = [Path("in/a.tif"), Path("in/b.tif")]


@pytest.mark.parametrize(
    "text",
    [
        "file,stage_y_nm,stage_x_nm,more\nb.tif,3,4,x\nother.tif,0,0,x\na.tif,1,2,x\n",
        "image,stage_y_nm,stage_x_nm\na,1,2\nb,3,4\n",
        "stage_x_nm,stage_y_nm,file\n2,1,C:\\data\\A.TIF\n4,3,in/b.tif\n",
    ],
)
def test_rows_are_found_in_any_order(tmp_path: Path, text: str) -> None:
    (tmp_path / "stage.csv").write_text(text)
    assert read_stage(tmp_path / "stage.csv", FILES).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,stage_y_nm,stage_x_nm\na.tif,1,2\n", "no row for b.tif"),
        ("file,stage_y_nm,stage_x_nm\nc.tif,1,2\n", "no row for a.tif and 1 more"),
        ("file,stage_y_nm,stage_x_nm\na.tif,1,2\na.tif,1,3\nb.tif,1,2\n", "names a.tif 2 times"),
        ("file,stage_y_nm,stage_x_nm\na.tif,1,\nb.tif,1,2\n", "no number as the position of a.tif"),
        ("file,stage_y_nm,stage_x_nm\na.tif,1,left\nb.tif,1,2\n", "no number as the position of a.tif"),
        ("file,y,x\na.tif,1,2\n", "lacks the column stage_y_nm"),
        ("stage_y_nm,stage_x_nm\n1,2\n", "lacks the column file"),
        ("", "no table of stage positions"),
    ],
)
def test_a_bad_table_is_refused_in_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "stage.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_stage(tmp_path / "stage.csv", FILES)


def test_a_raster_is_laid_row_by_row() -> None:
    places = lay_grid("2x3", 0.2, 6, np.array([10.0, 20.0]))
    assert places.tolist() == [[0, 0], [0, 16], [0, 32], [8, 0], [8, 16], [8, 32]]
    for grid, overlap, message in (
        ("2x2", 0.1, "takes 4 tiles, but there are 6"),
        ("six", 0.1, "rows x columns"),
        ("-2x-3", 0.1, "1x1 or more"),
        ("2x3", 1.0, "--overlap must be at least 0 and below 1"),
    ):
        with pytest.raises(ValueError, match=message):
            lay_grid(grid, overlap, 6, np.ones(2))


def test_stage_positions_that_cannot_be_are_refused() -> None:
    names = ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"a and c have the same stage position, y = 0 nm, x = 1 nm"):
        check_stage(np.array([[0, 1], [2, 3], [0, 1]], float), names)
    with pytest.raises(ValueError, match=r"that of b is \[nan, 3.0\]"):
        check_stage(np.array([[0, 1], [np.nan, 3], [4, 5]]), names)
    with pytest.raises(ValueError, match=r"shape \(3, 2\)"):
        check_stage(np.zeros((2, 2)), names)
