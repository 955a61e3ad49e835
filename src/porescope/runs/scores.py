"""Score the results of a run against standards."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from porescope.files import ENDINGS, FILES
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
    import pandas as pd
    import tifffile

    if not (out / FILES["images"]).is_file():
        raise ValueError(f"{out} holds no images.csv; give the folder of a porescope detect run")
    if not folder.is_dir():
        raise ValueError(f"--standards {folder} is not a folder")
    images = pd.read_csv(out / FILES["images"], dtype=str, keep_default_na=False)
    if not {"image", "file", "status"} <= set(images):
        raise ValueError(f"{out / 'images.csv'} is not porescope's: it lacks image, file or status")
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
