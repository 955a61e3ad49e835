from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from porescope import Micrograph, read_all
from porescope.cli.console import Modality
from porescope.modalities import HOLE_SIGN, MODALITIES, check_modality
from porescope.simulation.drawing import simulate


def test_every_list_of_modalities_agrees() -> None:
    assert MODALITIES == ("haadf", "bf", "abf", "hrtem")
    assert [m.value for m in Modality] == ["auto", *MODALITIES]


@pytest.mark.parametrize("modality", [m for m in MODALITIES if HOLE_SIGN[m]])
def test_the_sign_is_that_of_a_simulated_hole(modality: str) -> None:
    drawn = simulate(shape=(160, 180), modality=modality, pores=1, max_missing=60, dose=1e7, seed=2)
    hole = drawn.labels > 0
    image = drawn.micrograph.image
    assert np.sign(image[hole].mean() - image[~hole].mean()) == HOLE_SIGN[modality]


def test_an_unknown_modality_is_refused_in_the_same_words(tmp_path: Path) -> None:
    refused = re.escape("must be one of haadf, bf, abf, hrtem, not 'sem'")
    with pytest.raises(ValueError, match=refused):
        check_modality("sem")
    with pytest.raises(ValueError, match=refused):
        Micrograph(np.ones((2, 3)), 0.05, modality="sem")
    with pytest.raises(ValueError, match=refused):
        simulate(modality="sem")
    with pytest.raises(ValueError, match="must be one of auto, haadf"):
        list(read_all(tmp_path / "a.npy", modality="sem"))
