"""Mask R-CNN, to compare with: trained on simulated fields, it finds pores one by one.

Needs torchvision (the extra ``maskrcnn``), which the module imports when a detector is built.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from porescope import processes
from porescope.files.writing import write_whole
from porescope.labels import label_regions
from porescope.lattice.finding import Lattice
from porescope.micrograph import Micrograph
from porescope.network.scale import CELL_PX, choose_scale
from porescope.network.views import rescale, standardize
from porescope.training.samples import FIELD, Sample, make_samples

if TYPE_CHECKING:
    from torchvision.models.detection import MaskRCNN

#: Sides of the anchors at each level of the pyramid, at the network's scale [px].
ANCHORS = ((6, 11), (18, 28), (40, 60), (90, 130), (190, 280))
#: Channels of the pyramid; highest learning rate.
CHANNELS, RATE = 128, 5e-4
#: Fields in a step, fields drawn at once, fields kept.
BATCH, PART, KEPT = 4, 8, 2000
#: Pores of fewer pixels are not learnt.
SMALLEST = 4
#: Share of the training that the heads get for labelled micrographs, where there are any.
OWN_SHARE = 0.2
#: An instance is a pore if its score is this; its pixels are those of more than this probability.
LEAST_SCORE, EDGE = 0.5, 0.5


def build_maskrcnn() -> MaskRCNN:
    """Build the detector: ResNet-18 with a feature pyramid, nothing learnt yet."""
    from torchvision.models import resnet18
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import BackboneWithFPN

    levels = {f"layer{i}": str(i - 1) for i in range(1, 5)}
    return MaskRCNN(
        BackboneWithFPN(resnet18(weights=None), levels, [64, 128, 256, 512], CHANNELS),
        num_classes=2,
        rpn_anchor_generator=AnchorGenerator(ANCHORS, ((0.5, 1.0, 2.0),) * len(ANCHORS)),
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
    """Train a detector on simulated fields, then its heads on labelled micrographs.

    Parameters
    ----------
    folder : Path
        Where ``maskrcnn.pt`` goes.
    minutes : float
        For all steps together.
    seed : int
    standards : sequence of Sample
        As `fields.read_samples` gives them; the heads learn from them, the backbone stays.
    start : Path, optional
        A trained detector, of which only the heads learn; needs standards.
    steps : int, optional
        The most steps on simulated fields, and on labelled ones.
    on_step : callable
        Is told the step, its time [s] and its loss.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If ``start`` is no detector or comes without standards.
    """
    if start is not None and not standards:
        raise ValueError(f"the heads of {start.name} learn from labelled images; give some")
    torch.manual_seed(seed)
    rng = np.random.default_rng([11, seed])
    model = build_maskrcnn() if start is None else load_maskrcnn(start)
    own = 0.0 if not standards else OWN_SHARE if start is None else 1.0
    taken = 0
    if start is None:
        taken = _learn(model, _draw_fields(seed, rng), rng, 60 * minutes * (1 - own), steps, on_step)
    if standards:
        model.backbone.requires_grad_(False)
        again = (standards[int(rng.integers(len(standards)))] for _ in count())
        taken += _learn(model, again, rng, 60 * minutes * own, steps, on_step)
    card = {
        "porescope": version("porescope"), "cell_px": CELL_PX, "seed": seed, "minutes": minutes,
        "steps": taken, "standards": len(standards), "start": start.name if start else None,
    }  # fmt: skip
    path = folder / "maskrcnn.pt"
    with write_whole(path) as part:
        torch.save({"card": json.dumps(card), "state": model.state_dict()}, part)
    _load_once.cache_clear()
    return path


def _draw_fields(seed: int, rng: np.random.Generator) -> Iterator[Sample]:
    """One of the last fields at random, while a process draws new ones."""
    waiting: deque[Future[list[Sample]]] = deque()
    kept: deque[Sample] = deque(maxlen=KEPT)
    with processes.start_pool(1) as pool:
        for first in count(0, PART):
            waiting.append(pool.submit(make_samples, "training", seed, range(first, first + PART)))
            while len(waiting) >= 4:
                if not kept or waiting[0].done():
                    kept.extend(waiting.popleft().result())
                for _ in range(PART):  # no more are drawn than are used
                    yield kept[int(rng.integers(len(kept)))]


def _learn(
    model: MaskRCNN,
    fields: Iterator[Sample],
    rng: np.random.Generator,
    seconds: float,
    steps: int | None,
    on_step: Callable[[int, float, float], None],
) -> int:
    """Train what is not frozen for a time; give the number of steps."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=1e-3)
    model.train()
    model.backbone.train(any(p.requires_grad for p in model.backbone.parameters()))
    next(fields)  # the time starts when there is something to learn from
    began, step, done = time.monotonic(), 0, 0.0
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100) * float(0.5 + 0.5 * np.cos(np.pi * done))
        images, pores = zip(*(_prepare(next(fields), rng) for _ in range(BATCH)), strict=True)
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


def _prepare(sample: Sample, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Cut, turn and vary a field, its lattice in it: image and pores as torchvision wants them."""
    y, x = (int(rng.integers(max(n - FIELD, 0) + 1)) for n in sample.cover.shape)
    turns, mirror = int(rng.integers(4)), int(rng.choice([-1, 1]))
    arrays = (a[y : y + FIELD, x : x + FIELD] for a in (sample.image[0], sample.cover))
    image, cover = (np.rot90(a[::mirror], turns) for a in arrays)
    image = image.astype(np.float32) * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.25)
    return _as_input(image), describe_pores(label_regions(cover >= 128))


def _as_input(image: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).expand(3, -1, -1)


def describe_pores(labels: NDArray[np.int32]) -> dict[str, Tensor]:
    """Boxes (n, 4) as x, y, x, y, classes (n,) and masks (n, M, N) of a label image."""
    areas = np.bincount(labels.ravel())
    masks = labels == (np.flatnonzero(areas[1:] >= SMALLEST) + 1)[:, None, None]
    boxes = np.array([cv2.boundingRect(mask.astype(np.uint8)) for mask in masks], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.ones(len(masks), dtype=torch.int64),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
    }


def load_maskrcnn(path: Path) -> MaskRCNN:
    """Load a detector that `train_maskrcnn` saved.

    Raises
    ------
    ValueError
        If the file is none.
    """
    model = build_maskrcnn()
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


_load_once = lru_cache(maxsize=1)(load_maskrcnn)


def find_pores(
    micrograph: Micrograph, path: Path, *, lattice: Lattice | None = None, material: str | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find pores with a trained detector.

    Parameters
    ----------
    micrograph : Micrograph
    path : Path
        What `train_maskrcnn` saved; a ValueError tells if it is something else.
    lattice : Lattice, optional
        As `find_lattice` gives it; the image is brought to its scale.
    material : str, optional
        Its lattice constant is the scale where no lattice was found.

    Returns
    -------
    labels : ndarray of int32, shape (M, N)
        A pixel belongs to the surest of its pores; one mostly covered by surer ones is left out.
    probability : ndarray of float32, shape (M, N)
        Of a pore: the highest product of an instance's score and its mask's probability.
    """
    model = _load_once(path)
    factor, _ = choose_scale(micrograph, lattice, material)
    shape = micrograph.image.shape
    scaled = (max(round(shape[0] * factor), 1), max(round(shape[1] * factor), 1))
    image = standardize(rescale(micrograph.image, scaled), micrograph.modality)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = model([_as_input(image)])[0]
    labels, probability = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for score, there in zip(found["scores"].tolist(), found["masks"], strict=True):  # surest first
        likely = rescale(there[0].float().numpy(), shape).clip(0, 1)
        np.maximum(probability, np.float32(score) * likely, out=probability)
        mask = likely > EDGE
        free = mask & (labels == 0)
        if score >= LEAST_SCORE and 2 * free.sum() > mask.sum():
            labels[free] = labels.max() + 1
    return labels, probability
