from __future__ import annotations

import numpy as np
from helpers import build_choice

from porescope.recipes import read_off

# Three images over radius (rows) and threshold (columns): all succeed at radius 0 and 1, threshold 50.
# B succeeds nowhere else, C everywhere, A over a wide part of the thresholds.
SUCCESSES = np.array(
    [
        [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0]],
        [[0, 1, 0, 0, 0], [0, 1, 0, 0, 0]],
        [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1]],
    ]
)
FEW = {"radius": np.array([0.0, 1.0]), "threshold": np.array([40.0, 50, 60, 70, 80])}


def test_what_the_plot_says() -> None:
    lines = read_off(build_choice(FEW, SUCCESSES * 0.9, [1]))
    assert lines == [
        "An image succeeds at a point if its value is above the mark, 0.5.",
        "At 2 of 10 points all 3 images succeed.",
        "B limits most: without it, the others would succeed together at 6 points; alone it succeeds at 2.",
        "Choose threshold most carefully: the points at which 3 of 3 images succeed all have 50.",
    ]
    told = read_off(build_choice(FEW, SUCCESSES * 0.9, [1], reason="It was asked for with --success."))
    assert told[0].endswith("above the mark, 0.5. It was asked for with --success.")


def test_the_narrowest_parameter_is_told_by_its_share_of_the_range() -> None:
    # All succeed at radius 0 to 1 of 0 to 1, and at threshold 50 to 70 of 40 to 80.
    lines = read_off(build_choice(FEW, SUCCESSES[::2] * 0.9, [1]))
    assert lines[3].startswith("Choose threshold most") and lines[3].endswith(
        "lie from 50 to 70, 50% of its range."
    )
    # The same with the axes' order turned: all succeed at radius 0 of 0 to 4.
    turned = {"grid": np.array([5.0, 10.0]), "radius": np.arange(5.0)}
    values = np.array([[[0.9, 0, 0, 0, 0], [0.9, 0, 0, 0, 0]]])
    assert read_off(build_choice(turned, values, [0]))[2].startswith("Choose radius most carefully")
    values = np.array([[[0.9, 0.9, 0.9, 0.9, 0.9], [0, 0, 0, 0, 0]]])
    assert read_off(build_choice(turned, values, [0]))[2].startswith("Choose grid most carefully")


def test_one_image_is_no_crowd() -> None:
    assert read_off(build_choice(FEW, SUCCESSES[:1] * 0.9, [1]))[1] == (
        "At 6 of 10 points the one image succeeds."
    )


def test_advice_where_no_point_suits_all() -> None:
    values = np.zeros((2, 2, 5))
    values[0, 0, 1], values[1, 0, 1], values[1, 1, 3] = 0.9, 0.3, 0.8
    lines = read_off(build_choice(FEW, values, [1]))
    assert lines[1] == "At 0 of 10 points all 2 images succeed."
    # The chosen radius 0 is at an end of its range, the threshold 50 is not.
    assert lines[4:] == [
        "No point suits all images. Try wider ranges: the best point lies at the end of radius (0).",
        "Try finer steps around the best point: radius 0, threshold 50.",
        "Try a lower mark with --success: the highest value that all images reach together is 0.3.",
        "Try to tune B by itself, which has 0.3 at the best point, or look at its standard again.",
    ]
    inside = read_off(build_choice({"radius": np.arange(3.0)}, np.array([[0.1, 0.3, 0.2]]), [1]))
    assert "Wider ranges hardly help: the best point lies at no end of one." in inside[-4]
