from __future__ import annotations

import pytest

from porescope.modalities import HOLE_SIGN, MODALITIES, check_modality, has_bright_holes
from porescope.network import standardize
from porescope.simulation import Pore, Scene, simulate


@pytest.mark.parametrize("modality", [m for m in MODALITIES if HOLE_SIGN[m]])
def test_holes_have_the_sign_that_is_said(modality: str) -> None:
    pore = Pore((4.0, 4.0), radius=1.5)
    drawn = simulate(Scene("WS2", shape=(200, 200), modality=modality, pores=(pore,), dose=1e6), seed=1)
    image, hole = drawn.micrograph.image, drawn.labels > 0
    assert (image[hole].mean() - image[~hole].mean()) * HOLE_SIGN[modality] > 0
    standard = standardize(image, modality)
    assert standard[hole].mean() < standard[~hole].mean()  # dark, whatever the modality


def test_what_is_no_modality_is_refused() -> None:
    check_modality("auto", "auto")
    with pytest.raises(ValueError, match="one of auto, haadf, bf, abf, hrtem, not 'sem'"):
        check_modality("sem", "auto")
    assert not has_bright_holes("hrtem")
