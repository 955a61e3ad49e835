"""Score the results of a run against standards."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from porescope.files import ENDINGS
from porescope.runs.run import read_run
from porescope.scoring import Score, score
from porescope.standards import find_standards, read_standard


def score_results(out: Path, folder: Path) -> dict[str, Score]:
    """Score the label images that ``porescope detect`` wrote, each against its standard.

    Parameters
    ----------
    out : Path
        Folder of the run.
    folder : Path
        Folder of the standards.

    Returns
    -------
    dict of str to Score
        Name of the image → its score, for the single images that have a standard.

    Warns
    -----
    UserWarning
        Says how many stacks are not scored.

    Raises
    ------
    ValueError
        If ``out`` holds no results, ``folder`` is no folder, or no image has a standard.
    """
    import tifffile

    if not folder.is_dir():
        raise ValueError(f"--standards {folder} is not a folder")
    images = read_run(out).images
    ok = images[images.status == "ok"]
    single = ok.drop_duplicates("file", keep=False)
    if len(single) < len(ok):
        warnings.warn(
            f"{ok.file.nunique() - len(single)} stacks are not scored, only single images", stacklevel=2
        )
    names = {Path(f): str(n) for f, n in zip(single["file"], single["image"], strict=True)}
    scores = {}
    for file, standard in find_standards(names, folder).items():
        labels = np.asarray(tifffile.imread(out / f"{names[file]}{ENDINGS['labels']}"), np.int32)
        scores[names[file]] = score(read_standard(standard, labels.shape), labels)
    if not scores:
        raise ValueError(
            f"{folder} holds no standard of an image in {out}; name it like A_standard.png for A.dm3"
        )
    return scores
