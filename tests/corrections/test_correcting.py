from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import roifile
import tifffile
from helpers import run, save_simulated

from porescope import read_run
from porescope.corrections import correct_run
from porescope.runs import compare_runs

#: A pore drawn by hand: rows and columns of a rectangle where the simulated sheets are intact.
_DRAWN = np.s_[4:12, 100:110]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two images and a stack, whose pores the network found."""
    folder = tmp_path_factory.mktemp("original")
    for name, seed in (("a.tif", 1), ("b.tif", 5)):
        save_simulated(folder, name, seed=seed)
    save_simulated(folder, "movie.tif", seed=8, frames=2)
    out = folder / "out"
    made = run("detect", folder, "-o", out, "--material", "WS2", "--rois", "--geojson", "--coco", "-q")
    assert made.exit_code == 0, made.output
    return out


def read_image(out: Path, stem: str = "a") -> np.ndarray:
    return tifffile.imread(out / f"{stem}_labels.tif").astype(np.int32)


def edit(labels: np.ndarray) -> np.ndarray:
    """Delete pore 1, split pore 2 by a line of background, draw one."""
    edited = labels.copy()
    edited[labels == 1] = 0
    rows, _ = np.nonzero(labels == 2)
    middle = (rows.min() + rows.max()) // 2
    edited[middle][labels[middle] == 2] = 0
    assert (labels[_DRAWN] == 0).all()
    edited[_DRAWN] = 250
    return edited


def hash_folder(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_an_edited_label_image_comes_back_as_a_run(original: Path, tmp_path: Path) -> None:
    before = hash_folder(original)
    labels = read_image(original)
    edited = edit(labels)
    tifffile.imwrite(tmp_path / "a_labels.tif", edited.astype(np.uint8), imagej=True)
    shutil.copy(original / "b_labels.tif", tmp_path)  # not edited
    out = tmp_path / "corrected"
    done = correct_run(original, tmp_path, out)
    assert hash_folder(original) == before  # it stays as it is
    n = int(labels.max())
    assert done.lines == [f"a: 1 deleted, 1 drawn, 2 changed, {n - 2} as they were"] and not done.warnings
    old, new = read_run(original), read_run(out)
    assert np.array_equal(read_image(out) > 0, edited > 0)

    # What was not touched has its rows, with the numbers and the confidence.
    keys = ["image", "frame", "label"]
    kept = new.pores[~new.pores.edited]
    wanted = old.pores[(old.pores.image != "a") | (old.pores.label > 2)]
    pd.testing.assert_frame_equal(
        kept.sort_values(keys, ignore_index=True), wanted.sort_values(keys, ignore_index=True)
    )
    # What was is measured anew, and its confidence is not known.
    hand = new.pores[new.pores.edited]
    assert set(hand.image) == {"a"} and len(hand) == 3 and hand.confidence.isna().all()
    drawn = hand[(hand.area_px == 80)].iloc[0]
    # One column of atoms is under it.
    assert (drawn.y_px, drawn.x_px) == (7.5, 104.5)
    assert (drawn.size_method, drawn.missing_atoms) == ("atoms", 1) and 0.05 < drawn.area_nm2 < 0.2

    # The image's row follows; those of the other images do not change.
    row, was = (r.images.set_index(["image", "frame"]).loc[("a", 0)] for r in (new, old))
    assert row.n_pores == n + 1 and row.porosity != was.porosity
    assert row.message.endswith(f"corrected by hand: 1 deleted, 1 drawn, 2 changed, {n - 2} as they were")
    assert (row.method, row.sha256, row.clean_fraction) == (was.method, was.sha256, was.clean_fraction)
    others = [r.images[r.images.image != "a"].reset_index(drop=True) for r in (old, new)]
    pd.testing.assert_frame_equal(*others)

    # Pictures, report and record.
    names = {path.name for path in out.iterdir() if path.is_file()}
    assert {path.name for path in original.iterdir() if path.is_file()} <= names
    assert (out / "b_overlay.png").read_bytes() == (original / "b_overlay.png").read_bytes()
    assert (out / "a_overlay.png").read_bytes() != (original / "a_overlay.png").read_bytes()
    assert "corrected by hand" in (out / "report.html").read_text("utf-8")
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert record["corrected"]["run"] == str(original) and record["state"] == "finished"
    assert record["model"] == old.record["model"] and record["material"] == "WS2"

    # compare shows just that: the halves of pore 2 are one that was resized and one that appeared.
    changes = compare_runs(old, new)
    assert set(changes.image) == {"a"}
    counts = changes.change.value_counts().to_dict()
    assert counts in ({"appeared": 2, "gone": 1, "resized": 1}, {"appeared": 3, "gone": 2})


def _edit_rois(source: Path, target: Path) -> None:
    rois = roifile.roiread(source)
    corners = np.array([[100, 4], [110, 4], [110, 12], [100, 12]], float)
    roifile.roiwrite(target, [*rois[1:], roifile.ImagejRoi.frompoints(corners, name="mine")], mode="w")


def _edit_geojson(source: Path, target: Path) -> None:
    content = json.loads(source.read_text())
    ring = [[100, 4], [110, 4], [110, 12], [100, 12], [100, 4]]
    mine = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    target.write_text(json.dumps({**content, "features": [*content["features"][1:], mine]}))


def _edit_coco(source: Path, target: Path) -> None:
    content = json.loads(source.read_text())
    mine = {"id": 99, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [100, 4, 10, 8], "area": 80}
    mine["segmentation"] = [[100, 4, 110, 4, 110, 12, 100, 12]]
    target.write_text(json.dumps({**content, "annotations": [*content["annotations"][1:], mine]}))


@pytest.mark.parametrize(
    ("ending", "alter"), [("_rois.zip", _edit_rois), (".geojson", _edit_geojson), ("_coco.json", _edit_coco)]
)
def test_edited_outlines_come_back_too(original: Path, tmp_path: Path, ending: str, alter) -> None:
    alter(original / f"b{ending}", tmp_path / f"b{ending}")
    done = correct_run(original, tmp_path, tmp_path / "out")
    labels = read_image(original, "b")
    assert done.lines == [f"b: 1 deleted, 1 drawn, {labels.max() - 1} as they were"]
    wanted = np.where(labels == 1, 0, labels)
    wanted[_DRAWN] = labels.max() + 1
    assert np.array_equal(read_image(tmp_path / "out", "b"), wanted)
    changes = compare_runs(read_run(original), read_run(tmp_path / "out"))
    assert sorted(changes.change) == ["appeared", "gone"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_coco_masks_are_the_labels(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    labels = read_image(original, "b")
    coco = COCO(str(original / "b_coco.json"))
    capsys.readouterr()
    assert coco.getAnnIds() == list(range(1, labels.max() + 1))
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation) > 0
        # pycocotools rounds outlines to its own raster of pixels.
        both = (mask & (labels == annotation["id"])).sum() / (mask | (labels == annotation["id"])).sum()
        assert both > 0.85
        assert annotation["area"] == (labels == annotation["id"]).sum() and 0.5 <= annotation["score"] <= 1


def test_a_frame_of_a_stack_is_corrected_by_itself(original: Path, tmp_path: Path) -> None:
    labels = read_image(original, "movie_0001")
    tifffile.imwrite(tmp_path / "movie_0001_labels.tif", np.zeros_like(labels))  # all pores deleted
    correct_run(original, tmp_path, tmp_path / "out")
    old, new = read_run(original), read_run(tmp_path / "out")
    rows = new.images.set_index(["image", "frame"]).n_pores
    assert (
        rows[("movie", 1)] == 0
        and rows[("movie", 0)] == (old.pores.image.eq("movie") & old.pores.frame.eq(0)).sum()
    )
    assert not new.pores.edited.any()


def test_a_corrected_run_is_corrected_again(original: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    tifffile.imwrite(tmp_path / "one" / "a_labels.tif", edit(read_image(original)))
    correct_run(original, tmp_path / "one", tmp_path / "first")
    labels = read_image(tmp_path / "first")
    drawn = labels[_DRAWN].max()
    (tmp_path / "two").mkdir()
    tifffile.imwrite(tmp_path / "two" / "a_labels.tif", np.where(labels == drawn, 0, labels))
    correct_run(tmp_path / "first", tmp_path / "two", tmp_path / "second")
    first, second = read_run(tmp_path / "first"), read_run(tmp_path / "second")
    pd.testing.assert_frame_equal(
        second.pores.reset_index(drop=True),
        first.pores[(first.pores.image != "a") | (first.pores.label != drawn)].reset_index(drop=True),
    )


def test_a_candidate_that_is_accepted_is_none_any_more(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "a.tif")
    made = run("detect", path, "-o", tmp_path / "out", "--least-confidence", 1, "--no-images", "-q")
    assert made.exit_code == 0
    candidates = pd.read_parquet(tmp_path / "out" / "candidates.parquet")
    labels = read_image(tmp_path / "out")
    assert len(candidates) == 3 and not labels.any()
    y, x = candidates[["y_px", "x_px"]].round().astype(int).to_numpy()[1]
    labels[y - 3 : y + 4, x - 3 : x + 4] = 77
    tifffile.imwrite(tmp_path / "a_labels.tif", labels)
    done = correct_run(tmp_path / "out", tmp_path / "a_labels.tif", tmp_path / "corrected")
    left = pd.read_parquet(tmp_path / "corrected" / "candidates.parquet")
    pd.testing.assert_frame_equal(left, candidates.drop(index=1).reset_index(drop=True))
    assert done.run.pores.edited.tolist() == [True]


def test_a_run_without_material_and_pictures_is_measured_by_pixels(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "a.tif")
    made = run("detect", path, "-o", tmp_path / "out", "--method", "threshold", "--no-images", "-q")
    assert made.exit_code == 0
    labels = read_image(tmp_path / "out")
    (tmp_path / "edited").mkdir()
    tifffile.imwrite(tmp_path / "edited" / "a_labels.tif", edit(labels))
    done = correct_run(tmp_path / "out", tmp_path / "edited", tmp_path / "corrected")
    drawn = done.run.pores[done.run.pores.area_px == 80].iloc[0]
    assert drawn.size_method == "pixels" and np.isnan(drawn.missing_atoms)
    assert drawn.area_nm2 == pytest.approx(80 * float(done.run.images.pixel_size_nm[0]) ** 2)
    assert done.run.record["recipe"] and done.run.images.method[0] == "threshold"
    names = {name.name for name in (tmp_path / "corrected").iterdir()}
    assert names == {name.name for name in (tmp_path / "out").iterdir()}


def test_leftovers_of_the_brush_are_told(original: Path, tmp_path: Path) -> None:
    labels = read_image(original)
    labels[5, 100] = 9
    tifffile.imwrite(tmp_path / "a_labels.tif", labels)
    done = correct_run(original, tmp_path, tmp_path / "out")
    assert "1 of at most 3 px, perhaps left over by the brush" in done.lines[0]


def test_wrong_use_is_refused_in_a_sentence(original: Path, tmp_path: Path) -> None:
    given = tmp_path / "edited"
    given.mkdir()
    with pytest.raises(ValueError, match=r"holds no labels of this run's images; name them .* a_labels\.tif"):
        correct_run(original, given, tmp_path / "out")
    shutil.copy(original / "a_labels.tif", given)
    with pytest.raises(ValueError, match="nothing in .* differs"):
        correct_run(original, given, tmp_path / "out")
    with pytest.raises(ValueError, match="is the run itself, which stays as it is"):
        correct_run(original, given, original)
    with pytest.raises(ValueError, match="holds no run of porescope"):
        correct_run(tmp_path, given, tmp_path / "out")
    tifffile.imwrite(given / "a_labels.tif", edit(read_image(original)))
    _edit_rois(original / "a_rois.zip", given / "a_rois.zip")
    with pytest.raises(ValueError, match=r"a was edited in several files \(a_labels.tif, a_rois.zip\)"):
        correct_run(original, given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_that_is_gone_or_another_one_is_a_failed_row(original: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(original.parent, tmp_path / "moved")
    record = json.loads((tmp_path / "moved" / "out" / "run.json").read_text())
    assert os.path.isabs(record["inputs"][0]["file"])
    tifffile.imwrite(tmp_path / "b_labels.tif", np.zeros_like(read_image(original, "b")))
    save_simulated(tmp_path, "other.tif", seed=3)
    path = original.parent / "b.tif"
    kept = path.read_bytes()
    try:
        path.write_bytes((tmp_path / "other.tif").read_bytes())
        done = correct_run(original, tmp_path / "b_labels.tif", out)
        path.unlink()
        gone = correct_run(original, tmp_path / "b_labels.tif", out, overwrite=True)
    finally:
        path.write_bytes(kept)
    assert "has changed since the run" in done.lines[0]
    for run_ in (done.run, gone.run):
        assert run_.images.set_index("image").status["b"] == "failed"
        assert (run_.images.status == "ok").sum() == 3


def test_the_command_says_what_was_edited(original: Path, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a_labels.tif", edit(read_image(original)))
    (tmp_path / "RoiSet.zip").touch()
    command = ("measure", original, "--labels", tmp_path, "-o", tmp_path / "out")
    result = run(*command)
    assert result.exit_code == 0 and "a: 1 deleted, 1 drawn, 2 changed" in result.output
    assert "Warning: RoiSet.zip belongs to no image" in result.output
    again = run(*command)
    assert again.exit_code == 2 and "--overwrite" in again.output
    assert (
        run("measure", original, "--labels", tmp_path, "-o", tmp_path / "out", "--overwrite").exit_code == 0
    )
    shown = run("compare", original, tmp_path / "out")
    assert "gone" in shown.output and shown.output.count(" a ") >= 3 and " b " not in shown.output
