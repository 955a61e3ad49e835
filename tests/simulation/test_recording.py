from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from porescope.simulation import Recording
from porescope.simulation.recording import record


def test_counts_are_poisson_with_the_dose() -> None:
    expected = np.full((200, 210), 0.01, np.float32)
    image = record(expected, 0.05, Recording(), np.random.default_rng(0), dose=1e6, background=0.01)
    assert image.mean() == pytest.approx(50, rel=0.01) and image.var() == pytest.approx(50, rel=0.05)


def test_eight_bits_are_clipped_and_whole() -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 0.1, 40_000, dtype=np.float32).reshape(200, 200)
    image = record(ramp, 0.05, Recording(bits=8, clip=(0.1, 0.2)), rng, dose=1e6)
    assert image.min() == 0 and image.max() == 255 and np.array_equal(image, np.rint(image))
    assert 0.08 < (image == 0).mean() < 0.12 and 0.18 < (image == 255).mean() < 0.22


FLAT = np.full((200, 220), 0.01, np.float32)
DOSE = 1e8  # 2500 electrons per pixel of 0.05 nm at 0.01


def take(
    recording: Recording, expected: NDArray[np.float32] = FLAT, dose: float = DOSE
) -> NDArray[np.float32]:
    return record(expected, 0.05, recording, np.random.default_rng(0), dose=dose)


@pytest.mark.parametrize("jitter", [0.0, 0.5])
def test_jitter_shifts_rows(jitter: float) -> None:
    """A row's own shift has this standard deviation, the slow part 1.5 times as much."""
    x = np.arange(220, dtype=np.float32)
    line = np.tile(np.exp(-((x - 110) ** 2) / 50), (200, 1)).astype(np.float32)
    image = take(Recording(jitter=jitter), line, dose=1e7)
    shift = (image * x).sum(axis=1) / image.sum(axis=1) - 110
    assert shift.std() == pytest.approx(np.hypot(1, 1.5) * jitter, rel=0.2, abs=0.05)
    assert np.diff(shift).std() == pytest.approx(np.sqrt(2) * jitter, rel=0.2, abs=0.05)


@pytest.mark.parametrize("flicker", [0.0, 0.03])
def test_flicker_changes_the_brightness_of_rows(flicker: float) -> None:
    rows = take(Recording(flicker=flicker)).mean(axis=1)
    assert rows.std() / rows.mean() == pytest.approx(flicker, rel=0.15, abs=0.003)


@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_blur_correlates_neighbours(blur: float) -> None:
    image = take(Recording(blur=blur))
    correlation = np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1]
    assert correlation == pytest.approx(np.exp(-1 / 4) if blur else 0, abs=0.03)


def test_readout_noise_adds_to_the_variance() -> None:
    image = take(Recording(readout=100.0))
    assert image.var() == pytest.approx(2500 + 100**2, rel=0.05)


def test_a_gradient_runs_across_the_frame() -> None:
    image = take(Recording(gradient=0.4))
    y, x = (np.linspace(-0.5, 0.5, n) for n in image.shape)
    slope = [np.polyfit(y, image.mean(axis=1), 1)[0], np.polyfit(x, image.mean(axis=0), 1)[0]]
    assert np.hypot(*slope) / 2500 == pytest.approx(0.4, rel=0.05)


def test_streaks_are_bright_in_some_rows_only() -> None:
    image = take(Recording(streaks=0.05))
    bright = image > 1.2 * 2500
    assert bright.any(axis=1).sum() > 10 and not bright.any(axis=1).all()
    along, down = (bright & np.roll(bright, 1, axis) for axis in (1, 0))
    assert along.sum() > 1.3 * down.sum()


def test_gamma_brightens_or_darkens_eight_bits() -> None:
    ramp = np.tile(np.linspace(0, 0.1, 200, dtype=np.float32), (200, 1))
    means = [take(Recording(bits=8, gamma=gamma), ramp).mean() / 255 for gamma in (0.5, 1.0, 2.0)]
    assert means == pytest.approx([2 / 3, 1 / 2, 1 / 3], abs=0.02)


def test_a_bar_and_a_frame_are_burnt_in() -> None:
    image = take(Recording(bar=True, frame=3))
    assert not image[:3].any() and not image[-3:].any() and not image[:, :3].any() and not image[:, -3:].any()
    assert (image == image.max()).sum() >= 4 * 44  # four rows, a fifth of the width


def test_jpeg_keeps_the_image_but_not_its_pixels() -> None:
    plain, packed = (take(Recording(bits=8, jpeg=quality)) for quality in (None, 60))
    assert not np.array_equal(plain, packed)
    assert packed.mean() == pytest.approx(plain.mean(), abs=1) and packed.min() >= 0 and packed.max() <= 255
