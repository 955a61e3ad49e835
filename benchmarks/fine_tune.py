"""Fine-tune a network on four of the published images and score it on the fifth (leave-one-out).

python benchmarks/fine_tune.py                                        (the shipped network; extra train)
python benchmarks/fine_tune.py --model mrcnn-model/maskrcnn.pt        (heads of a Mask R-CNN; extra maskrcnn)
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from porescope import Micrograph, read, read_standard, score
from porescope.cli.demo import find_data
from porescope.lattice import find_lattice
from porescope.network import SHIPPED, Network, load_model
from porescope.training import read_samples

NAMES = "ABCDE"


def tune_network(folder: Path, steps: int, micrograph: Micrograph) -> NDArray[np.int32]:
    """Fine-tune the shipped network on the folder's images and run it on a micrograph."""
    from porescope.training import Plan, export_model, read_weights, train

    plan = Plan(steps=steps, seed=1, rate=3e-4)
    trainer = train(plan, folder, labelled=read_samples(folder), start=read_weights(SHIPPED))
    path = folder / "model.onnx"
    # Keep the shipped weights of the evidence: to fit them anew takes minutes.
    export_model(trainer, path, {"evidence": load_model().card["evidence"]})
    return Network(path).find(micrograph, find_lattice(micrograph)).labels


def tune_heads(folder: Path, steps: int, start: Path, micrograph: Micrograph) -> NDArray[np.int32]:
    """Fine-tune the heads of a Mask R-CNN on the folder's images and run it on a micrograph."""
    from porescope.training import maskrcnn

    own = read_samples(folder)
    path = maskrcnn.train_maskrcnn(folder, minutes=60, steps=steps, seed=1, standards=own, start=start)
    return maskrcnn.MaskRCNN(path).find(micrograph, find_lattice(micrograph)).labels


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--model", type=Path, help="a Mask R-CNN")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = find_data()
    if data is None:
        raise SystemExit("the published images are not at $PORESCOPE_DATA")
    print("| left out | found | false | pixel precision | recall | F1 |\n|---|---|---|---|---|---|")
    rows = []
    for left_out in NAMES:
        micrograph = read(data / f"{left_out}.dm3")
        with tempfile.TemporaryDirectory() as temporary:
            for name in NAMES.replace(left_out, ""):
                shutil.copy(data / f"{name}.dm3", temporary)
                shutil.copy(data / f"{name}_standard.png", temporary)
            if given.model:
                labels = tune_heads(Path(temporary), given.steps, given.model, micrograph)
            else:
                labels = tune_network(Path(temporary), given.steps, micrograph)
        s = score(read_standard(data / f"{left_out}_standard.png"), labels)
        rows.append((s.found, s.found + s.missed, s.false, s.precision, s.recall, s.f1))
        shares = f"{s.precision:.2f} | {s.recall:.2f} | {s.f1:.2f}"
        print(f"| {left_out} | {s.found} of {s.found + s.missed} | {s.false} | {shares} |", flush=True)
    found, of, false, *means = np.array(rows).T
    shares = " | ".join(f"{m.mean():.3f}" for m in means)
    print(f"| **all** | {found.sum():.0f} of {of.sum():.0f} | {false.sum():.0f} | {shares} |")
