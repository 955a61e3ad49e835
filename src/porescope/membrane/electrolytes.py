"""Electrolytes: the conductivity of a solution from tables with their sources."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Conductivity of KCl solutions [S/m] by temperature [°C] (rows) and molality [mol/kg] (columns): primary
#: standards, Pratt et al. 2001 (doi:10.1351/pac200173111783); without that of the water.
_KCL_MOLALITIES = np.array([0.01, 0.1, 1.0])
_KCL_TEMPERATURES = np.array([0.0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50])
_KCL = np.array([
    (0.077292, 0.711685, 6.3488), (0.089096, 0.818370, 7.2030), (0.101395, 0.929172, 8.0844),
    (0.114145, 1.04371, 8.9900), (0.127303, 1.16159, 9.9170), (0.140823, 1.28246, 10.8620),
    (0.154663, 1.40592, 11.8240), (0.168779, 1.53160, 12.7970), (0.183127, 1.65910, 13.7810),
    (0.197662, 1.78806, 14.7720), (0.212343, 1.91809, 15.7670),
])  # fmt: skip

#: Molal conductivity of an ion [mS kg/(cm mol)] at temperature t [°C] and ionic strength I [mol/kg]:
#: λ = λ₀(t) − A(t)·√I / (1 + B·√I), with λ₀ and A quadratic in t (coefficients of t², t, 1), and B.
#: McCleskey et al. 2012 (doi:10.1016/j.gca.2011.10.031), whose data are those of McCleskey 2011 (J. Chem.
#: Eng. Data 56, 317).
_IONS = {
    "K": ((0.003046, 1.261, 40.70), (0.00535, 0.9316, 22.59), 1.5),
    "Na": ((0.003763, 0.8770, 26.23), (0.00027, 1.141, 32.07), 1.7),
    "Li": ((0.002628, 0.7079, 19.20), (0.00412, 0.4632, 13.71), 0.2),
    "Cl": ((0.003817, 1.337, 40.99), (0.00613, 0.9469, 22.01), 1.5),
}
#: Temperatures [°C] and ionic strengths [mol/kg] that were measured for `_IONS`.
_ION_TEMPERATURES, _ION_STRENGTHS = (5.0, 90.0), (1e-4, 1.0)

#: Density at 20 °C [g/cm³] at mass fractions of 0, 0.01, 0.05 and 0.10: CRC Handbook of Chemistry and
#: Physics, "Concentrative properties of aqueous solutions" (after Wolf 1966).
_MASS_FRACTIONS = np.array([0.0, 0.01, 0.05, 0.10])
_DENSITIES = {
    "KCl": np.array([0.9982, 1.0046, 1.0304, 1.0633]),
    "NaCl": np.array([0.9982, 1.0053, 1.0340, 1.0707]),
    "LiCl": np.array([0.9982, 1.0041, 1.0272, 1.0560]),
}
#: Molar masses [g/mol].
_MOLAR_MASSES = {"KCl": 74.551, "NaCl": 58.443, "LiCl": 42.394}

#: Salts of which the conductivity is known, by their names: both ions.
SALTS = {"KCl": ("K", "Cl"), "NaCl": ("Na", "Cl"), "LiCl": ("Li", "Cl")}
#: How far beyond the last point of a source is extrapolated, relative to that point.
_BEYOND = 0.05
#: Relative standard deviations of the sources, and of what a temperature known within 1 °C adds (2 % a °C).
_PRIMARY_STD, _IONS_STD, _TEMPERATURE_STD = 0.001, 0.02, 0.02


class Solution(NamedTuple):
    """A solution of a salt."""

    salt: str  # a key of `SALTS`
    amount: float  # in ``unit``
    unit: str  # "mol/L" at 20 °C, or "mol/kg" of water

    @property
    def molality(self) -> float:
        """[mol/kg]."""
        if self.unit == "mol/kg":
            return self.amount
        share = np.linspace(0, _MASS_FRACTIONS[-1], 2001)
        density = np.interp(share, _MASS_FRACTIONS, _DENSITIES[self.salt])
        molarity = 1000 * density * share / _MOLAR_MASSES[self.salt]
        if self.amount > molarity[-1]:
            raise ValueError(
                f"the density of {self.salt} is known up to {molarity[-1]:.2f} mol/L, not {self.amount:g}: "
                "measure the conductivity and say --sigma"
            )
        salt = float(np.interp(self.amount, molarity, share))
        return 1000 * salt / (1 - salt) / _MOLAR_MASSES[self.salt]

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit} {self.salt}"


class Conductivity(NamedTuple):
    """The conductivity of a solution, and where it comes from."""

    sigma_s_m: float  # [S/m]
    relative_std: float  # standard deviation / conductivity: of the source and the temperature
    source: str


def read_solution(text: str) -> Solution:
    """Read what solution a text names.

    Parameters
    ----------
    text : str
        As ``1 M KCl``, ``100 mM NaCl``, ``0.5 mol/kg LiCl``. M and mol/L are molar, at 20 °C; m and mol/kg
        are molal.

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        If it cannot be read, or the salt is unknown.

    Examples
    --------
    >>> read_solution("100 mM KCl")
    Solution(salt='KCl', amount=0.1, unit='mol/L')
    >>> round(read_solution("1 M KCl").molality, 3)
    1.031
    """
    match = re.fullmatch(r"\s*([\d.,]+(?:e-?\d+)?)\s*(mM|M|m|mol/L|mmol/L|mol/kg)\s+(\w+)\s*", text)
    if match is None:
        raise ValueError(
            f"--salt is a concentration and a salt, such as '1 M KCl' or '0.1 mol/kg NaCl', not {text!r}"
        )
    number, unit, name = match.groups()
    try:
        amount = float(number.replace(",", "."))
    except ValueError:
        raise ValueError(f"--salt: {number} is no number") from None
    salt = next((salt for salt in SALTS if salt.lower() == name.lower()), None)
    if salt is None:
        raise ValueError(
            f"the conductivity of {name} is not at hand, only of {', '.join(SALTS)}: measure it and say "
            "--sigma"
        )
    if not amount > 0:
        raise ValueError(f"--salt: the concentration must be above 0, not {amount:g}")
    factor = 1e-3 if unit in ("mM", "mmol/L") else 1.0
    return Solution(salt, amount * factor, "mol/kg" if unit in ("m", "mol/kg") else "mol/L")


def find_conductivity(solution: Solution, temperature_c: float) -> Conductivity:
    """Find the conductivity of a solution in the tables.

    Parameters
    ----------
    solution : Solution
    temperature_c : float
        [°C]

    Returns
    -------
    Conductivity

    Raises
    ------
    ValueError
        If the tables do not reach so far.

    Notes
    -----
    KCl from 0.01 to 1 mol/kg and 0 to 50 °C: primary standards of Pratt et al. 2001
    (doi:10.1351/pac200173111783). The molar conductivity between them is quadratic in √m/(1 + 1.5√m).
    All else: the sum over the ions of McCleskey et al. 2012 (doi:10.1016/j.gca.2011.10.031), 5 to 90 °C and
    up to 1 mol/kg; for KCl that is 1 to 2.7 % above the primary standards. Up to 5 % beyond the last
    concentration is extrapolated, and said.

    Examples
    --------
    >>> round(find_conductivity(read_solution("1 M KCl"), 25).sigma_s_m, 2)
    11.17
    """
    m = solution.molality
    if solution.salt == "KCl" and _is_primary(m, temperature_c):
        sigma, spread, last = _interpolate_kcl(m, temperature_c), _PRIMARY_STD, _KCL_MOLALITIES[-1]
        source = "Pratt et al. 2001"
    elif _is_measured(m, temperature_c):
        sigma, spread, last = _add_ions(solution, m, temperature_c), _IONS_STD, _ION_STRENGTHS[1]
        source = "McCleskey et al. 2012"
    else:
        low, high = _ION_TEMPERATURES
        raise ValueError(
            f"the conductivity of {solution} at {temperature_c:g} °C is not at hand (tables: "
            f"{_ION_STRENGTHS[0]:g} to {_ION_STRENGTHS[1]:g} mol/kg, {low:g} to {high:g} °C): measure it "
            "and say --sigma"
        )
    text = f"{source}, {m:.4g} mol/kg, {temperature_c:g} °C"
    if m > last:
        text += f", extrapolated by {m / last - 1:.1%} beyond {last:g} mol/kg"
    return Conductivity(sigma, float(np.hypot(spread, _TEMPERATURE_STD)), text)


def _is_primary(m: float, t: float) -> bool:
    inside = _KCL_MOLALITIES[0] <= m <= _KCL_MOLALITIES[-1] * (1 + _BEYOND)
    return bool(inside and _KCL_TEMPERATURES[0] <= t <= _KCL_TEMPERATURES[-1])


def _is_measured(m: float, t: float) -> bool:
    low, high = _ION_STRENGTHS
    return low <= m <= high * (1 + _BEYOND) and _ION_TEMPERATURES[0] <= t <= _ION_TEMPERATURES[1]


def _interpolate_kcl(m: float, t: float) -> float:
    """Conductivity of KCl between the primary standards [S/m]."""

    def scale(molality: NDArray[np.float64] | float) -> NDArray[np.float64]:
        root = np.sqrt(np.asarray(molality, float))
        return np.asarray(root / (1 + _IONS["K"][2] * root))

    known = np.array([np.interp(t, _KCL_TEMPERATURES, column) for column in _KCL.T]) / _KCL_MOLALITIES
    return float(m * np.polyval(np.polyfit(scale(_KCL_MOLALITIES), known, 2), scale(m)))


def _add_ions(solution: Solution, m: float, t: float) -> float:
    """Conductivity of a salt of single charges as the sum of its ions' [S/m]."""
    root, total = np.sqrt(m), 0.0
    for ion in SALTS[solution.salt]:
        limit, slope, b = _IONS[ion]
        total += float(np.polyval(limit, t) - np.polyval(slope, t) * root / (1 + b * root))
    return total * m / 10
