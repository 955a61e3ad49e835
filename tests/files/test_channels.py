from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from porescope.files import ReadError, Signal, choose_signals
from porescope.files.entries import name_modality, names_detector

IMAGE = np.random.default_rng(0).integers(0, 60_000, (20, 30)).astype(np.uint16)
HERE = Path("a.emd")


def _make(channel: str = "", data: np.ndarray = IMAGE, size: float = 0.04) -> Signal:
    stacked = [True, False, False][-data.ndim :]
    return Signal(
        data,
        ["nm"] * data.ndim,
        [size] * data.ndim,
        stacked,
        channel,
        "",
        name_modality(channel),
        channel=channel,
    )


def _choose(*signals: Signal, wanted: str | None = None) -> list[str]:
    return [signal.channel for signal in choose_signals(HERE, signals, wanted)]


@pytest.mark.parametrize(
    ("channels", "taken"),
    [
        (["BF", "HAADF", "DF2"], ["HAADF"]),
        (["BF", "DF4"], ["DF4"]),
        (["DPC", "A-C", "B-D", "iDPC", "DF4-A", "DF4-B"], ["DF4-A"]),
        (["A", "B", "C", "D"], ["A"]),
        (["W", "S", "HAADF"], ["HAADF"]),
        (["HAADF 1", "BF 1", "HAADF 2", "BF 2"], ["HAADF 1", "HAADF 2"]),
        (["", ""], ["", ""]),
    ],
)
def test_one_signal_of_each_field(channels: list[str], taken: list[str]) -> None:
    # Different images of the same kind, as detectors record them.
    signals = [_make(channel, np.roll(IMAGE, k)) for k, channel in enumerate(channels)]
    chosen = choose_signals(HERE, signals)
    assert [signal.channel for signal in chosen] == taken
    several = len([c for c in channels if c not in ("W", "S")]) > len(taken)
    assert all(("is taken of" in signal.remark) == several for signal in chosen)


def test_fields_differ_in_size_or_shape() -> None:
    assert _choose(_make("HAADF"), _make("BF", size=0.4)) == ["HAADF", "BF"]
    assert _choose(_make("HAADF"), _make("BF", IMAGE[:10])) == ["HAADF", "BF"]
    assert _choose(_make("HAADF"), _make("BF"), wanted="all") == ["HAADF", "BF"]
    assert _choose(_make("HAADF"), _make("BF", size=0.4), wanted="bf") == ["BF"]


def test_maps_of_elements_are_no_micrographs() -> None:
    with pytest.raises(ReadError, match="maps of elements"):
        _choose(_make("W"), _make("S"))
    assert _choose(_make("W"), _make("HAADF"), wanted="all") == ["HAADF"]


def test_an_unknown_signal_names_the_known_ones() -> None:
    for signals in ([_make("HAADF"), _make("BF")], [_make("HAADF")]):
        with pytest.raises(ReadError, match="no signal 'X', but HAADF"):
            _choose(*signals, wanted="X")


def test_a_signal_without_a_name_is_taken_with_a_word() -> None:
    (one,) = choose_signals(HERE, [_make("")], "BF")
    assert "does not name its signal, so --signal has no effect" in one.remark
    assert all(choose_signals(HERE, [_make("")], wanted)[0].remark == "" for wanted in (None, "all"))


def test_copies_in_fewer_bits_are_left_out() -> None:
    copy = (IMAGE >> 8).astype(np.uint8)
    colours = np.zeros(IMAGE.shape, [(c, "u1") for c in "RGB"])
    for c in "RGB":
        colours[c] = copy
    for other in (copy, colours):
        (one,) = choose_signals(HERE, [_make("", other), _make()])
        assert one.data is IMAGE and "copy" in one.remark
    assert len(choose_signals(HERE, [_make("", np.roll(copy, 7)), _make()])) == 2  # another image
    assert len(choose_signals(HERE, [_make("", copy, size=0.4), _make()])) == 2  # another magnification


def test_names_of_detectors() -> None:
    assert all(map(names_detector, ("HAADF", "DF4-A", "BF-S", "bf 2", "Filtered iDPC")))
    assert not any(map(names_detector, ("", "004_ABF_movie_21", "HAADF of WS2", "sample")))
