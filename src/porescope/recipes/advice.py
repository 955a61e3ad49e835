"""What an exhaustive search tells, in sentences, and what to try next."""

from __future__ import annotations

import numpy as np

from porescope.recipes.choice import Choice


def read_off(choice: Choice) -> list[str]:
    """Put into words what the plot shows.

    Parameters
    ----------
    choice : Choice

    Returns
    -------
    list of str
        Sentences: what the mark is; at how many points all images succeed; which image is the outlier,
        without which most points would succeed; which parameter has the narrowest range of good values; and,
        where no point suits all images, what to try.
    """
    search, over = choice.search, choice.succeeds
    successes = over.sum(axis=0)
    n_images, n_points = over.shape
    n_all = int((successes == n_images).sum())
    where = f"all {n_images} images succeed" if n_images > 1 else "the one image succeeds"
    mark = f"An image succeeds at a point if its value is above the mark, {choice.mark:g}."
    lines = [
        f"{mark} {choice.reason}".strip(),
        f"At {n_all:,} of {n_points:,} points {where}.",
    ]
    if n_images > 1:
        without = np.array([((successes - o) == n_images - 1).sum() for o in over])
        outlier = int(np.argmax(without))
        name = search.names[outlier]
        lines.append(
            f"{name} limits most: without it, the others would succeed together at {without[outlier]:,} "
            f"points; alone it succeeds at {int(over[outlier].sum()):,}."
        )
    top = successes == successes.max()
    widths = {}
    for i, (name, axis) in enumerate(search.axes.items()):
        held = axis[np.unique(np.unravel_index(np.flatnonzero(top), search.shape)[i])]
        if len(axis) > 1:
            widths[name] = ((held[-1] - held[0]) / (axis[-1] - axis[0]), held)
    if widths:
        name, (share, held) = min(widths.items(), key=lambda item: item[1][0])
        place = f"lie from {held[0]:g} to {held[-1]:g}, {share:.0%} of its range"
        if len(held) == 1:
            place = f"all have {held[0]:g}"
        lines.append(
            f"Choose {name} most carefully: the points at which {int(successes.max())} of {n_images} images "
            f"succeed {place}."
        )
    if n_all == 0:
        lines += _advise(choice)
    return lines


def _advise(choice: Choice) -> list[str]:
    """Suggest what to try where no point suits all images."""
    search, values, best = choice.search, choice.values, choice.point
    at = np.unravel_index(best, search.shape)
    ends = [
        f"{name} ({axis[i]:g})"
        for (name, axis), i in zip(search.axes.items(), at, strict=True)
        if len(axis) > 1 and i in (0, len(axis) - 1)
    ]
    worst = values.min(axis=0)
    poor = int(np.argmin(values[:, best]))
    here = ", ".join(f"{name} {axis[i]:g}" for (name, axis), i in zip(search.axes.items(), at, strict=True))
    wider = (
        f"Try wider ranges: the best point lies at the end of {', '.join(ends)}."
        if ends
        else "Wider ranges hardly help: the best point lies at no end of one."
    )
    return [
        f"No point suits all images. {wider}",
        f"Try finer steps around the best point: {here}.",
        f"Try a lower mark with --success: the highest value that all images reach together is "
        f"{worst.max():.3g}.",
        f"Try to tune {search.names[poor]} by itself, which has {values[poor, best]:.3g} at the best "
        "point, or look at its standard again.",
    ]
