"""What was edited in a label image: pores that stay, were drawn, changed, or deleted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_boxes


class Edits(NamedTuple):
    """An edited label image, held against the one that was edited."""

    labels: NDArray[np.int32]  # (M, N); pores that stay keep their number, the others have new ones
    kept: list[int]  # labels of the pores that stay
    drawn: list[int]  # of those where there was none
    changed: list[int]  # of those that touch one that was there and does not stay
    deleted: list[int]  # labels, in the original, of pores of which nothing is left

    @property
    def any(self) -> bool:
        """Whether anything was edited."""
        return bool(self.drawn or self.changed or self.deleted)

    def describe(self) -> str:
        """Describe what was edited.

        Returns
        -------
        str

        Examples
        --------
        >>> Edits(np.zeros((1, 1), np.int32), [1, 2], [9], [7, 8], []).describe()
        '1 drawn, 2 changed, 2 as they were'
        """
        counts = {"deleted": self.deleted, "drawn": self.drawn, "changed": self.changed}
        parts = [f"{len(numbers)} {name}" for name, numbers in counts.items() if numbers]
        return ", ".join([*parts, f"{len(self.kept)} as they were"])


def compare_labels(
    original: NDArray[np.integer], edited: NDArray[np.integer], outlined: bool = False
) -> Edits:
    """Tell which pores of an edited label image are as they were.

    Parameters
    ----------
    original, edited : ndarray of int, shape (M, N)
    outlined : bool
        Whether the edited ones come from outlines, which do not know the holes of a region.

    Returns
    -------
    Edits

    Notes
    -----
    A pore stays as it was if all its pixels, and no others, have one label in the edited image, whichever
    that is. Of all else each 8-connected piece of one label is a pore of its own, so that a line of
    background splits a pore, and two painted with the same label are two.

    Examples
    --------
    >>> original = np.array([[1, 1, 0, 2, 2, 2, 0, 3]])
    >>> edits = compare_labels(original, np.array([[5, 5, 0, 2, 0, 2, 0, 0]]))
    >>> edits.labels
    array([[1, 1, 0, 4, 0, 5, 0, 0]], dtype=int32)
    >>> edits.kept, edits.drawn, edits.changed, edits.deleted
    ([1], [], [4, 5], [3])
    """
    from skimage.measure import label

    before, after = np.asarray(original, np.int32), np.asarray(edited, np.int32)
    left = after.copy()
    result = np.zeros_like(before)
    shapes = [before, fill_holes(before)] if outlined else [before]
    pieces = np.asarray(label(after, connectivity=2), np.int32)
    for same in (after, pieces):
        for wanted in shapes:
            for number in _find_equal(wanted, np.where(left > 0, same, 0)):
                whole = before == number
                result[whole] = number
                left[whole | (wanted == number)] = 0
    kept = np.unique(result[result > 0])
    pieces = np.asarray(label(left, connectivity=2), np.int32)
    first = int(before.max(initial=0)) + 1
    result = np.where(pieces > 0, pieces + first - 1, result).astype(np.int32)
    gone = np.where(np.isin(before, kept), 0, before)
    touching = set(np.unique(result[(gone > 0) & (result >= first)]).tolist())
    numbers = range(first, first + int(pieces.max(initial=0)))
    deleted = set(np.unique(gone[gone > 0]).tolist()) - set(np.unique(gone[result >= first]).tolist())
    return Edits(
        result,
        kept.tolist(),
        [n for n in numbers if n not in touching],
        [n for n in numbers if n in touching],
        sorted(deleted),
    )


def _find_equal(one: NDArray[np.int32], two: NDArray[np.integer]) -> list[int]:
    """Labels of the regions of one label image that are also those of another, pixel by pixel."""
    there = (one > 0) & (two > 0)
    pairs, counts = np.unique(np.stack([one[there], two[there]]), axis=1, return_counts=True)
    areas_one, areas_two = (np.bincount(labels.ravel()) for labels in (one, two.astype(np.int64)))
    same = (areas_one[pairs[0]] == counts) & (areas_two[pairs[1]] == counts)
    return [int(number) for number in pairs[0][same]]


def fill_holes(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Fill the holes of regions, where there is background.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)

    Returns
    -------
    ndarray of int32, shape (M, N)
    """
    from scipy.ndimage import binary_fill_holes

    filled = labels.copy()
    for number, (top, left, bottom, right) in find_boxes(labels).items():
        part = filled[top:bottom, left:right]
        part[binary_fill_holes(part == number) & (part == 0)] = number
    return filled
