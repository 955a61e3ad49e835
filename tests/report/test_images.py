from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from helpers import save_simulated, take_census

from porescope import read_run
from porescope.files import save_labels
from porescope.recipes import Threshold
from porescope.report.images import choose_crop, list_entries, read_card, split_pages
from porescope.runs import Job, read_candidates
from porescope.runs.job import IMAGE_COLUMNS
from porescope.runs.parts import make_tables


def make_images(n: int) -> pd.DataFrame:
    rows = {"image": [f"a{i}" for i in range(n)], "frame": 0, "status": "ok", "signal": None}
    return pd.DataFrame(rows).reindex(columns=list(IMAGE_COLUMNS)).astype({"image": "str"})


def make_pores(counts: list[int]) -> pd.DataFrame:
    names = [f"a{i}" for i, n in enumerate(counts) for _ in range(n)]
    table = make_tables([])[1].reindex(range(len(names))).assign(image=pd.Series(names, dtype="str"))
    table["label"] = table.groupby("image").cumcount() + 1
    return table.assign(frame=0, area_px=table.label)


def split(images: pd.DataFrame, pores: pd.DataFrame, folder: Path) -> list[list[tuple[str, int, int]]]:
    entries = list_entries(images, pores, make_tables([])[1], folder)
    return [[(e.row["image"], len(e.pores), e.n_left_out) for e in page] for page in split_pages(entries)]


def test_pages_hold_so_many_images_pores_and_bytes(tmp_path: Path) -> None:
    assert split(make_images(0), make_pores([]), tmp_path) == [[]]
    assert [len(page) for page in split(make_images(450), make_pores([]), tmp_path)] == [200, 200, 50]
    pages = split(make_images(4), make_pores([2000, 2500, 1000, 7000]), tmp_path)
    assert pages == [[("a0", 2000, 0), ("a1", 2500, 0)], [("a2", 1000, 0)], [("a3", 5000, 2000)]]
    (tmp_path / "pictures").mkdir()
    for i in range(4):
        (tmp_path / "pictures" / f"a{i}_image.jpg").write_bytes(b"x" * 3_000_000)
    assert [len(page) for page in split(make_images(4), make_pores([]), tmp_path)] == [2, 2]
    pages = split(make_images(40), make_pores([4000] * 40), tmp_path)
    assert [len(page) for page in pages] == [1] * 25, "the page says that others are left out"
    assert sum(map(len, split(make_images(5100), make_pores([]), tmp_path / "empty"))) == 5000


def test_the_largest_pores_of_an_image_are_shown_and_failures_first(tmp_path: Path) -> None:
    images = make_images(3).assign(status=["ok", "failed", "ok"])
    entries = list(list_entries(images, make_pores([5003, 0, 1]), make_tables([])[1], tmp_path))
    assert [entry.row["image"] for entry in entries] == ["a1", "a0", "a2"]
    assert entries[1].pores.label.tolist() == list(range(4, 5004))


def test_an_image_named_like_a_frame_keeps_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for stem in ("a", "a_0000", "b_0000", "b_0001"):
        (tmp_path / "pictures" / f"{stem}_image.jpg").touch()
    images = pd.concat([make_images(2)] * 2, ignore_index=True)
    images = images.assign(image=["a", "a_0000", "b", "b"], frame=[0, 0, 0, 1])
    entries = list_entries(images, make_pores([]), make_tables([])[1], tmp_path)
    assert [entry.stem for entry in entries] == ["a", "a_0000", "b_0000", "b_0001"]
    forged = make_images(1).assign(image="../a")
    assert [e.stem for e in list_entries(forged, make_pores([]), make_tables([])[1], tmp_path)] == ["image"]


def test_a_card_shows_what_there_is(tmp_path: Path) -> None:
    """Without pictures, without a label image, with another image's, with a field."""
    run = take_census([save_simulated(tmp_path, "one.tif")], Job(tmp_path, Threshold(), overlays=False))

    def read() -> dict[str, object]:
        run = read_run(tmp_path)
        (entry,) = list_entries(run.images, run.pores, read_candidates(tmp_path), tmp_path)
        return read_card(entry, tmp_path)

    card = read()
    assert (card["picture"], card["vacancies"], card["outside"]) == ("", "", "")
    assert len(card["pores"]) == len(run.pores) == 3 and all("l" in p["path"] for p in card["pores"])
    field = np.ones((180, 220), np.uint8)
    field[:50], field[100:, :30] = 0, 2
    save_labels(tmp_path / "one_field.tif", field, (0.1, 0.1))
    card = read()
    assert card["outside"].startswith("M") and card["hidden"].startswith("M")
    for broken in (np.ones((5, 5), np.uint8), None):
        if broken is None:
            (tmp_path / "one_labels.tif").write_bytes(b"II*\0 no image")
        else:
            save_labels(tmp_path / "one_labels.tif", broken, (0.1, 0.1))
        assert all("a" in p["path"] and len(read()["pores"]) == 3 for p in read()["pores"]), "circles"


def test_a_crop_is_as_large_as_most_pores_need() -> None:
    def choose(sizes: list[float]) -> float:
        return choose_crop(
            [pd.DataFrame({"feret_diameter_max_nm": sizes, "equivalent_diameter_nm": 1.0}), pd.DataFrame()]
        )

    assert choose([1, 1, 1, 1]) == 2 and choose([1] * 5 + [3] * 5) == 4.8 and choose([1] * 8 + [90] * 2) == 6
    assert choose([np.nan]) == 2 and choose([]) == 1
