from __future__ import annotations

import pytest

from porescope.membrane import SALTS, Solution, find_conductivity, read_solution


@pytest.mark.parametrize(
    ("molality", "temperature", "sigma"),
    [
        (1, 25, 10.862),
        (1, 20, 9.917),
        (1, 30, 11.824),
        (0.1, 25, 1.28246),
        (0.1, 20, 1.1616),
        (0.01, 0, 0.077292),
    ],
)
def test_primary_standards_of_potassium_chloride(molality: float, temperature: float, sigma: float) -> None:
    found = find_conductivity(Solution("KCl", molality, "mol/kg"), temperature)
    assert found.sigma_s_m == pytest.approx(sigma, rel=1e-4) and "Pratt" in found.source


def test_a_molar_solution_is_not_a_molal_one() -> None:
    """1 mol/L at 20 °C is 1.0316 mol/kg (Jones and Bradshaw's 1.11 S/cm at 25 °C is for 1.027 mol/kg)."""
    one = read_solution("1 M KCl")
    assert one.molality == pytest.approx(1.0316, abs=1e-3)
    found = find_conductivity(one, 25)
    assert found.sigma_s_m == pytest.approx(11.17, abs=0.02) and "extrapolated by 3" in found.source
    # The same within 9 % at 20 °C: the temperature counts.
    assert find_conductivity(one, 20).sigma_s_m / found.sigma_s_m == pytest.approx(0.913, abs=2e-3)


@pytest.mark.parametrize(
    ("text", "sigma"),
    [
        ("1 M NaCl", 8.6),
        ("0.1 mol/kg NaCl", 1.07),
        ("0.1 M LiCl", 0.96),
        ("1 mol/L LiCl", 7.3),
        ("3 mM KCl", 0.0439),
    ],
)
def test_other_salts_agree_with_handbooks(text: str, sigma: float) -> None:
    """Robinson and Stokes, S cm²/mol at 25 °C: NaCl 106.7, LiCl 95.9 at 0.1 M; within 3 %."""
    found = find_conductivity(read_solution(text), 25)
    assert found.sigma_s_m == pytest.approx(sigma, rel=0.03) and "McCleskey" in found.source


def test_both_sources_agree_on_potassium_chloride() -> None:
    primary = find_conductivity(Solution("KCl", 0.01, "mol/kg"), 25)
    ions = find_conductivity(Solution("KCl", 0.0099999, "mol/kg"), 25)
    assert ions.sigma_s_m == pytest.approx(primary.sigma_s_m, rel=0.03)
    assert ions.relative_std > primary.relative_std > 0.01


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("KCl", "concentration and a salt"), ("1 M", "concentration and a salt"),
        ("1 M CsCl", "KCl, NaCl, LiCl"),
        ("0 M KCl", "above 0"), ("1.2.3 M KCl", "no number"),
    ],
)  # fmt: skip
def test_what_is_no_solution_is_refused(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_solution(text)


@pytest.mark.parametrize(
    ("text", "temperature"), [("1.2 M KCl", 25), ("1 M KCl", 95), ("1 M NaCl", 4), ("3 M KCl", 25)]
)
def test_beyond_the_tables_is_refused(text: str, temperature: float) -> None:
    with pytest.raises(ValueError, match="--sigma"):
        find_conductivity(read_solution(text), temperature)


def test_every_salt_has_its_ions_and_its_density() -> None:
    for salt in SALTS:
        assert read_solution(f"0.5 M {salt.lower()}").molality == pytest.approx(0.51, abs=0.01)
