from __future__ import annotations

from pathlib import Path

import numpy as np

from porescope import Recipe, read, score, segment
from porescope.desk.answers import answer_place, answer_recipe, measure_edited
from porescope.desk.session import Place, Session
from porescope.runs import Job


def test_an_answer_counts_pores_and_holds_them_against_the_standard(images: list[Path]) -> None:
    micrograph = read(images[0])
    labels = segment(micrograph, Recipe())
    n = len(np.unique(labels)) - 1
    assert n >= 2
    answer = answer_recipe(micrograph, Recipe(), labels)
    assert np.array_equal(answer.mask, labels > 0) and answer.text.startswith(f"{n} pores, median diameter ")
    assert answer.text.endswith(f"against the standard: F1 1.00, {n} found, 0 missed, 0 false")
    standard = np.where(labels == 1, 0, labels)
    assert f"F1 {score(standard, labels).f1:.2f}, {n - 1} found, 0 missed, 1 false" in (
        answer_recipe(micrograph, Recipe(), standard).text
    )


def test_a_standard_of_another_size_is_said_and_the_recipe_answers(
    images: list[Path], tmp_path: Path
) -> None:
    session = Session(images[:1], Job(tmp_path))
    session.save_standard(Place(0, 0), np.ones((5, 6), np.int32))
    answer = answer_place(Session(images[:1], session.job), Place(0, 0), Recipe())
    plain = answer_recipe(read(images[0]), Recipe())
    assert answer.text.startswith(plain.text) and "a_standard.tif" in answer.text


def test_pores_that_stay_keep_their_rows(images: list[Path], tmp_path: Path) -> None:
    session = Session(images[:1], Job(tmp_path, material="WS2"))
    result = session.find(Place(0, 0))
    assert measure_edited(result, result.labels).table is result.pores  # nothing is measured anew
    labels = result.labels.copy()
    labels[labels == 1] = 0
    labels[4:12, 100:110] = 99
    table, edits = measure_edited(result, labels)
    old = result.pores.set_index("label")
    kept = table[~table.edited].set_index("label")
    assert kept.equals(old.loc[kept.index]) and kept.index.tolist() == old.index[1:].tolist()
    drawn = table[table.edited]
    assert drawn.area_px.tolist() == [80] and np.isnan(drawn.confidence).all()
    assert (edits.labels > 0).sum() == (labels > 0).sum()
