from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from porescope.membrane import fit_line, read_measured

VOLTAGE = np.linspace(-100, 100, 21)


def _write(path: Path, voltage: object, current: object, head: str = "voltage_mV,current_nA") -> str:
    rows = [f"{v},{i}" for v, i in zip(voltage, current, strict=True)]
    path.write_text("\n".join([head, *rows]))
    return str(path)


def test_a_number_is_a_conductance() -> None:
    assert read_measured("12.5").g_ns == 12.5
    for text in ("0", "-3", "nan", "inf"):
        with pytest.raises(ValueError, match="above 0 nS"):
            read_measured(text)


def test_the_slope_of_a_curve_is_robust(tmp_path: Path) -> None:
    current = 0.02 * VOLTAGE + 0.1 + np.random.default_rng(0).normal(0, 0.01, 21)
    current[[3, 16]] += (0.6, -0.6)  # spikes
    found = read_measured(_write(tmp_path / "iv.csv", VOLTAGE, current))
    assert found.g_ns == pytest.approx(20, rel=0.01) and found.g_low_ns < 20 < found.g_high_ns
    assert found.offset_na == pytest.approx(0.1, abs=0.02) and found.n_points == 21
    assert found.rectification == pytest.approx(1, abs=0.1)


def test_a_curve_that_rectifies_says_so() -> None:
    found = fit_line(VOLTAGE, np.where(VOLTAGE > 0, 0.03, 0.01) * VOLTAGE)
    assert found.rectification == pytest.approx(3) and 10 < found.g_ns < 30
    assert np.isnan(fit_line(VOLTAGE[VOLTAGE >= 0], 0.01 * VOLTAGE[VOLTAGE >= 0]).rectification)


def test_what_is_no_line_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=21)
    for current in (noise, np.zeros(21), VOLTAGE**3 / 1e6):
        with pytest.raises(ValueError, match="iv.csv: the curve is no line"):
            read_measured(_write(tmp_path / "iv.csv", VOLTAGE, current))
    with pytest.raises(ValueError, match="check the signs"):
        fit_line(VOLTAGE, -VOLTAGE)
    with pytest.raises(ValueError, match="3 different voltages or more, not 1"):
        read_measured(_write(tmp_path / "iv.csv", [5], [1]))


def test_what_is_no_curve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a number"):
        read_measured(str(tmp_path / "missing.csv"))
    with pytest.raises(ValueError, match="row 2: current_nA must be a number, not high"):
        read_measured(_write(tmp_path / "iv.csv", [1, 2, 3], [1, "high", 2]))
    with pytest.raises(ValueError, match="lacks the column current_nA"):
        read_measured(_write(tmp_path / "iv.csv", [1, 2, 3], [1, 2, 3], "voltage_mV,I"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        read_measured(str(tmp_path / "empty.csv"))
