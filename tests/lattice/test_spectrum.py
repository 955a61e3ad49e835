from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from porescope.lattice.spectrum import measure_spectrum
from porescope.lattice.waves import Flat


@pytest.mark.parametrize("shape", [(30, 40), (30, 41), (31, 40), (31, 41)])
def test_the_spectrum_is_that_of_all_frequencies(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(10, 1, shape).astype(np.float32)
    flat = Flat(image)
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in shape))
    expected = fft.fftshift(np.abs(fft.fft2(flat.read() * window)) ** 2)
    for power in (measure_spectrum(image).power, measure_spectrum(image, flat=flat).power):
        np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-4)
