from __future__ import annotations

from pathlib import Path

import numpy as np

from porescope import Recipe, read, score, segment
from porescope.desk.answers import answer_recipe


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
