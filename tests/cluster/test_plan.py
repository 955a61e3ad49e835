"""Plans: sums known by hand, and a real sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import run, save_simulated

from porescope.cluster import Plan, measure_plan
from porescope.recipes import Threshold
from porescope.runs import Job


def _make_plan(seconds: list[float], pores: list[float]) -> Plan:
    rows = np.array([[s / 5] * 5 for s in seconds])
    ones = np.ones(len(seconds))
    return Plan(rows, 0 * ones, 1e6 * ones, 2e3 * ones, 500.0, np.array(pores), ["network"], [])


def test_hours_and_images_are_what_a_hand_computes() -> None:
    plan = _make_plan([1, 2, 3, 2], [4, 4, 4, 4])
    error = 1.96 * np.sqrt(2 / 3) / 2
    assert plan.estimate_hours(3600) == pytest.approx((2, 2 - error, 2 + error))
    assert plan.count_needed(0.1) == pytest.approx(1.96**2 / 0.01 / 4)
    assert np.isnan(_make_plan([1], [4]).estimate_hours(1)[1])
    assert np.isinf(_make_plan([1, 1], [0, 0]).count_needed(0.1))


def test_as_many_images_as_it_says_give_the_density_that_well() -> None:
    """95 of 100 censuses of that many images, of pores that come in clusters, are within 10 %."""
    rng = np.random.default_rng(0)

    def draw(n: int) -> np.ndarray:
        return 3.0 * rng.poisson(0.8, n)  # clusters of three

    plan = _make_plan([1.0] * 5000, list(draw(5000)))
    assert plan.dispersion == pytest.approx(3, rel=0.1)
    n = int(plan.count_needed(0.1))
    close = [abs(draw(n).mean() / 2.4 - 1) <= 0.1 for _ in range(2000)]
    assert np.mean(close) == pytest.approx(0.95, abs=0.015)


def test_a_sample_tells_times_disk_and_pores(tmp_path: Path) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif", seed=i, frames=1 + i % 2) for i in range(6)]
    (tmp_path / "in" / "t.tif").write_bytes(b"II*\0 no")
    job = Job(tmp_path, Threshold(), overlays=False)
    plan = measure_plan([*paths, tmp_path / "in" / "t.tif"], job, 4)
    assert plan.seconds.shape == (3, 5) and (plan.seconds[:, [0, 2, 3, 4]] > 0).all()
    assert plan.seconds[:, 1].max() < 1e-3  # no lattice was asked for
    assert plan.read_bytes.tolist() == [paths[i].stat().st_size for i in (0, 2, 4)]
    assert len(plan.failed) == 1 and "t.tif" in plan.failed[0]
    assert plan.table_bytes > 200 and plan.methods == ["threshold"]
    assert not any(tmp_path.glob("*.tif")), "it wrote into the folder"


def test_the_command_says_hours_disk_and_share(tmp_path: Path) -> None:
    for i in range(3):
        save_simulated(tmp_path / "in", f"s{i}.tif", seed=i)
    options = ("--images", "1.6e9", "--method", "threshold", "--no-images", "--workers", 100)
    ran = run("plan", tmp_path / "in", *options)
    assert ran.exit_code == 0, ran.output
    for said in ("1,600,000,000 images:", "time of one core", "wall time of 100 workers", "within 1%"):
        assert said in ran.output
    assert run("plan", tmp_path / "in", "--images", "-3").exit_code == 2
    assert run("plan", tmp_path / "none").exit_code == 2
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "t.tif").write_bytes(b"II*\0 no")
    ran = run("plan", tmp_path / "bad")
    assert ran.exit_code == 2 and "no file of the sample can be processed" in ran.output
