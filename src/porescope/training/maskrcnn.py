"""Mask R-CNN, the instance-segmentation network that porescope is compared with.

Needs torchvision (the extra ``maskrcnn``), which is imported when a network is built.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from porescope import processes
from porescope.files import hash_file, printable, write_whole
from porescope.labels import EDGE, Detection, clear_outside, label_regions
from porescope.lattice import Lattice
from porescope.micrograph import Micrograph
from porescope.network import CELL_PX, choose_scale, rescale, standardize
from porescope.training.samples import SIDE, Sample, make_samples

if TYPE_CHECKING:
    from torchvision.models.detection import MaskRCNN as _Module

#: Sides of the anchors at each level of the feature pyramid, at the network's scale [px].
_ANCHORS = ((6, 11), (18, 28), (40, 60), (90, 130), (190, 280))
#: Channels of the feature pyramid.
_CHANNELS = 128
#: Highest learning rate; steps over which it rises at the start.
_RATE, _WARM_UP = 5e-4, 100
#: Samples in a batch; samples simulated in one task; samples kept in memory; tasks submitted ahead.
_BATCH, _TASK, _KEPT, _AHEAD = 4, 8, 2000, 4
#: Area of the smallest pore that is learnt [px].
_SMALLEST = 4
#: Share of the training time that goes to labelled micrographs, if there are any.
_LABELLED_SHARE = 0.2
#: Lowest score of an instance that counts as a pore.
_MIN_SCORE = 0.5


def _build_maskrcnn() -> _Module:
    """Build the network, ResNet-18 with a feature pyramid, with random weights."""
    from torchvision.models import resnet18
    from torchvision.models.detection import MaskRCNN as Module
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import BackboneWithFPN

    levels = {f"layer{i}": str(i - 1) for i in range(1, 5)}
    return Module(
        BackboneWithFPN(resnet18(weights=None), levels, [64, 128, 256, 512], _CHANNELS),
        num_classes=2,
        rpn_anchor_generator=AnchorGenerator(_ANCHORS, ((0.5, 1.0, 2.0),) * len(_ANCHORS)),
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
        _skip_resize=True,  # images come at the network's scale
        rpn_pre_nms_top_n_train=600,
        rpn_post_nms_top_n_train=400,
        rpn_pre_nms_top_n_test=600,
        rpn_post_nms_top_n_test=400,
        box_batch_size_per_image=64,
        box_nms_thresh=0.3,
    )


def train_maskrcnn(
    folder: Path,
    *,
    minutes: float,
    seed: int = 0,
    standards: Sequence[Sample] = (),
    start: Path | None = None,
    steps: int | None = None,
    on_step: Callable[[int, float, float], None] = lambda *_: None,
) -> Path:
    """Train a network on simulated micrographs, then its heads on labelled ones.

    Parameters
    ----------
    folder : Path
        Where ``maskrcnn.pt`` goes.
    minutes : float
        Training time in all.
    seed : int
        Of the initial weights, the simulated samples and the batches.
    standards : sequence of Sample
        Labelled micrographs, as `samples.read_samples` reads them. Only the heads learn from them; the
        backbone stays.
    start : Path, optional
        Trained network whose heads are to learn from the standards, without simulated micrographs.
    steps : int, optional
        Most steps on simulated micrographs, and most on labelled ones.
    on_step : callable
        Called after each step with its number, the time since the first [s] and the loss.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If ``start`` is no Mask R-CNN of porescope's, or is given without standards.
    """
    if start is not None and not standards:
        raise ValueError(f"the heads of {start.name} learn from labelled images; give some")
    torch.manual_seed(seed)
    rng = np.random.default_rng([11, seed])
    seconds, taken = 60 * minutes, 0
    if start is None:
        model, share = _build_maskrcnn(), _LABELLED_SHARE if standards else 0.0
        taken += _learn(model, _draw_simulated(seed, rng), rng, seconds * (1 - share), steps, on_step)
    else:
        model, share = load_maskrcnn(start), 1.0
    if standards:
        model.backbone.requires_grad_(False)
        labelled = (standards[int(rng.integers(len(standards)))] for _ in count())
        taken += _learn(model, labelled, rng, seconds * share, steps, on_step)
    card = {
        "porescope": version("porescope"), "cell_px": CELL_PX, "seed": seed, "minutes": minutes,
        "steps": taken, "standards": len(standards), "start": start.name if start else None,
    }  # fmt: skip
    path = folder / "maskrcnn.pt"
    with write_whole(path) as part:
        torch.save({"card": json.dumps(card), "state": model.state_dict()}, part)
    _load_cached.cache_clear()
    return path


def _draw_simulated(seed: int, rng: np.random.Generator) -> Iterator[Sample]:
    """Yield random ones of the latest simulated samples, while a process simulates new ones."""
    waiting: deque[Future[list[Sample]]] = deque()
    kept: deque[Sample] = deque(maxlen=_KEPT)
    with processes.start_pool(1) as pool:
        for first in count(0, _TASK):
            waiting.append(pool.submit(make_samples, "training", seed, range(first, first + _TASK)))
            while len(waiting) >= _AHEAD:
                if not kept or waiting[0].done():
                    kept.extend(waiting.popleft().result())
                for _ in range(_TASK):  # at least as many samples are used as simulated
                    yield kept[int(rng.integers(len(kept)))]


def _learn(
    model: _Module,
    samples: Iterator[Sample],
    rng: np.random.Generator,
    seconds: float,
    steps: int | None,
    on_step: Callable[[int, float, float], None],
) -> int:
    """Train the parameters that are not frozen; return the number of steps."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=1e-3)
    model.train()
    model.backbone.train(any(p.requires_grad for p in model.backbone.parameters()))
    next(samples)  # wait for the first samples before the clock starts
    began, step, done = time.monotonic(), 0, 0.0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1.0, (step + 1) / _WARM_UP) * float(0.5 + 0.5 * np.cos(np.pi * done))
        images, pores = zip(*(_augment(next(samples), rng) for _ in range(_BATCH)), strict=True)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            losses = model(list(images), list(pores))
        loss = torch.stack([part.float() for part in losses.values()]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        step, spent = step + 1, time.monotonic() - began
        done = max(spent / seconds, step / steps if steps else 0.0)
        on_step(step, spent, loss.item())
    return step


def _augment(sample: Sample, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Crop, rotate and mirror a sample at random, vary its brightness and contrast: image and pores."""
    y, x = (int(rng.integers(max(n - SIDE, 0) + 1)) for n in sample.cover.shape)
    turns, mirror = int(rng.integers(4)), int(rng.choice([-1, 1]))
    arrays = (a[y : y + SIDE, x : x + SIDE] for a in (sample.image[0], sample.cover))
    image, cover = (np.rot90(a[::mirror], turns) for a in arrays)
    image = image.astype(np.float32) * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.25)
    return _as_input(image), describe_pores(label_regions(cover >= 128))


def _as_input(image: NDArray[Any]) -> Tensor:
    """Repeat a grey image in the three channels that torchvision expects: shape (3, M, N)."""
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).expand(3, -1, -1)


def describe_pores(labels: NDArray[np.int32]) -> dict[str, Tensor]:
    """Convert a label image to torchvision's training targets.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Label image; regions of fewer than 4 px are left out.

    Returns
    -------
    dict of str to Tensor
        ``boxes`` (n, 4) as (x, y) of two corners, ``labels`` (n,), all 1, and ``masks`` (n, M, N).
    """
    areas = np.bincount(labels.ravel())
    masks = labels == (np.flatnonzero(areas[1:] >= _SMALLEST) + 1)[:, None, None]
    boxes = np.array([cv2.boundingRect(mask.astype(np.uint8)) for mask in masks], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.ones(len(masks), dtype=torch.int64),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
    }


def load_maskrcnn(path: Path) -> _Module:
    """Load a network that `train_maskrcnn` saved.

    Parameters
    ----------
    path : Path

    Returns
    -------
    torchvision.models.detection.MaskRCNN
        In evaluation mode.

    Raises
    ------
    ValueError
        If the file cannot be read, is no Mask R-CNN of porescope's, or one of another version.
    """
    model = _build_maskrcnn()
    try:
        content = torch.load(path, weights_only=True)
        model.load_state_dict(content["state"])
        cell_px = json.loads(content["card"])["cell_px"]
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    except Exception:  # torch has many kinds of error, none documented
        raise ValueError(f"{path.name} is no Mask R-CNN of porescope's; train one anew") from None
    if cell_px != CELL_PX:
        raise ValueError(f"{path.name} was trained by another version of porescope; train it anew")
    return model.eval()


_load_cached = lru_cache(maxsize=1)(load_maskrcnn)


@dataclass(frozen=True)
class MaskRCNN:
    """Detector: a trained Mask R-CNN.

    Parameters
    ----------
    path : Path
        The file that `train_maskrcnn` saved.
    """

    path: Path

    method: ClassVar[str] = "network"
    needs_lattice: ClassVar[bool] = True

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``: the file and its hash.

        Returns
        -------
        dict

        Raises
        ------
        ValueError
            If the file is none that `train_maskrcnn` saved.
        """
        _load_cached(self.path)
        return {
            "method": self.method,
            "model": {
                "file": printable(self.path.name),
                "sha256": hash_file(self.path),
                "kind": "Mask R-CNN",
            },
        }

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice, optional
            As `find_lattice` returns it; it gives the scale.
        material : str, optional
            Its lattice constant gives the scale where no lattice was found.

        Returns
        -------
        Detection
            Where instances overlap, a pixel belongs to that of the highest score. An instance is left out
            if at least half of it belongs to others. ``probability`` is the highest product of an
            instance's score and its mask probability.

        Raises
        ------
        ValueError
            If the file is none that `train_maskrcnn` saved.
        """
        model = _load_cached(self.path)
        factor = choose_scale(micrograph, lattice, material).factor
        shape = micrograph.image.shape
        scaled = (max(round(shape[0] * factor), 1), max(round(shape[1] * factor), 1))
        image = standardize(rescale(micrograph.filled, scaled), micrograph.modality)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = model([_as_input(image)])[0]
        labels, probability = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        for score, mask in zip(found["scores"].tolist(), found["masks"], strict=True):  # highest first
            likely = rescale(mask[0].float().numpy(), shape).clip(0, 1)
            np.maximum(probability, np.float32(score) * likely, out=probability)
            inside = likely > EDGE
            free = inside & (labels == 0)
            if score >= _MIN_SCORE and 2 * free.sum() > inside.sum():
                labels[free] = labels.max() + 1
        return Detection(clear_outside(labels, micrograph.field), probability)
