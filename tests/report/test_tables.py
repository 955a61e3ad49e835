from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from helpers import save_simulated, take_census

from porescope.recipes import Threshold
from porescope.report.tables import choose_columns, describe_folders, write_rows
from porescope.runs import Job
from porescope.runs.parts import make_tables


def test_columns_without_a_value_are_left_out() -> None:
    pores = make_tables([])[1].reindex(range(2)).assign(label=[1, 2], circularity=[0.5, np.nan])
    pores = pores.assign(isomer=["", None], touches_border=False, edited=[False, True])
    names = [column.name for column in choose_columns(pores)]
    assert names == ["label", "circularity", "edited"]
    assert "touches_border" in [c.name for c in choose_columns(pores.assign(touches_border=[True, False]))]


def test_rows_have_their_text_and_a_crop_at_one_scale() -> None:
    pores = make_tables([])[1].reindex(range(3)).assign(
        label=[1, 2, 3], y_px=[10.0, 20.0, np.nan], x_px=[30.0, 5.0, 1.0],
        touches_border=[False, True, False],
        feret_diameter_max_nm=[1.0, 4.0, np.nan], equivalent_diameter_nm=[0.8, 3.0, np.nan],
        confidence=[0.987, np.nan, 0.5],
    )  # fmt: skip
    rows = write_rows(pores, choose_columns(pores), pixel_nm=0.1, crop_nm=2.0)
    assert [row["border"] for row in rows] == [False, True, False]
    assert rows[0]["cells"] == ["1", "0.800", "1.00", "0.99", ""] and rows[2]["cells"][1] == ""
    # 20 px for 2 nm around (10.5, 30.5), counted from the corner; a larger pore has a larger crop.
    assert rows[0]["crop"] == ("20.5 0.5 20 20", 1.0)
    assert rows[1]["crop"] == ("-20.5 -5.5 52 52", 2.6) and rows[2]["crop"] is None


def test_each_folder_has_its_density(tmp_path: Path) -> None:
    paths = [save_simulated(tmp_path / "a", f"{i}.tif", seed=i) for i in (1, 2)]
    paths.append(save_simulated(tmp_path / "b", "3.tif", seed=3))
    run = take_census(paths, Job(tmp_path, Threshold(), overlays=False))
    folders, left_out = describe_folders(run)
    assert [Path(name).name for name, _ in folders] == ["a", "b"] and left_out == 0
    per_image = run.pores.groupby("image").size()
    assert [s.n_pores for _, s in folders] == [per_image[["1", "2"]].sum(), per_image["3"]]
    for _, summary in folders:
        low, high = summary.density[1:]
        assert low < summary.density[0] < high
    many = pd.concat([run.images] * 40, ignore_index=True)
    many = many.assign(file=[f"{i}/x.tif" for i in range(len(many))])
    folders, left_out = describe_folders(run._replace(images=many))
    assert (len(folders), left_out) == (100, 20)
