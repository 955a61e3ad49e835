from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from porescope import Micrograph
from porescope.pictures import encode_micrograph, encode_vacancies
from porescope.simulation import Scene, simulate


def decode(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)).convert("L"), float)


def test_a_noisy_micrograph_keeps_its_lattice_in_few_bytes() -> None:
    micrograph = simulate(Scene(shape=(256, 300), pores=2, dose=2e5), seed=1).micrograph
    content = encode_micrograph(micrograph)
    seen = decode(content)
    assert seen.shape == (256, 300) and len(content) <= 0.1 * seen.size
    # What is kept is the image but for its noise.
    truth = simulate(Scene(shape=(256, 300), pores=2, dose=2e7), seed=1).micrograph.image
    assert np.corrcoef(truth.ravel(), seen.ravel())[0, 1] > 0.75


def test_a_smooth_image_stays_sharp_and_a_large_one_is_reduced() -> None:
    step = np.zeros((200, 200))
    step[:, 100:] = 1
    seen = decode(encode_micrograph(Micrograph(step, 0.1)))
    assert seen[:, 98].max() < 20 and seen[:, 101].min() > 235
    assert Image.open(BytesIO(encode_micrograph(Micrograph(np.eye(50, 8000), 0.1)))).size == (4096, 26)
    assert decode(encode_micrograph(Micrograph(np.ones((30, 40)), 0.1))).shape == (30, 40)


def test_a_vacancy_map_goes_from_0_to_10() -> None:
    z = np.repeat([-3.0, 0, 5, 10, 40], 100)[None].repeat(300, axis=0)
    seen = decode(encode_vacancies(z))
    assert max(seen.shape) <= 192
    assert np.abs(seen[50, [15, 60, 96, 135, 175]] - [0, 0, 127, 255, 255]).max() < 15
    assert decode(encode_vacancies(np.full((20, 20), np.nan))).max() < 5
