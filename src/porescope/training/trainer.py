"""Train the network with PyTorch on simulated micrographs, and on labelled ones if there are any."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from porescope import processes
from porescope.files import write_whole
from porescope.network import MODES
from porescope.training.samples import CROP, UNKNOWN, Sample, make_samples
from porescope.training.unet import Net, find_half

#: Training steps in a round; samples simulated for each round; rounds whose samples are kept in memory.
ROUND, NEW_SAMPLES, _KEPT_ROUNDS = 150, 300, 10
#: Samples that a worker process simulates in one task.
_TASK = 25
#: Numbers of the simulated samples on which the validation loss is measured.
VALIDATION = range(64)
#: Rounds between two validations.
_VALIDATE_EVERY = 10
#: Time between two checkpoints [s].
_SAVE_EVERY = 240
#: Steps over which the learning rate rises at the start.
_WARM_UP = 200


@dataclass(frozen=True)
class Plan:
    """Settings of a training; it ends when ``minutes`` or ``steps`` are reached.

    Attributes
    ----------
    minutes : float, optional
        Training time, over which the learning rate decays to 0.
    steps : int, optional
        Number of steps, over which the learning rate decays to 0.
    seed : int
        Of the initial weights, the simulated samples and the batches.
    batch : int
        Crops in a batch.
    rate : float
        Highest learning rate.
    channels : tuple of int
        Channels of each U-Net at each level, finest first.
    own_share : float
        Share of labelled micrographs in a batch, if there are any.
    """

    minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    batch: int = 8
    rate: float = 2e-3
    channels: tuple[int, ...] = (16, 32, 64, 96, 128)
    own_share: float = 0.5


def _split_by_half(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples of the first U-Net, and of the second."""
    return [[s for s in samples if find_half(s.about) == half] for half in range(2)]


def _draw_batch(
    simulated: list[list[Sample]], labelled: list[list[Sample]], plan: Plan, step: int
) -> tuple[Tensor, ...]:
    """Draw a batch for one of the two U-Nets: image, about, cover, weight, unusable.

    A U-Net is drawn in proportion to its number of samples (labelled ones, if there are any). Each sample
    is cropped, rotated and mirrored at random, and its brightness and contrast are varied.
    """
    rng = np.random.default_rng([9, plan.seed, step])
    dark, bright = map(len, labelled if any(labelled) else simulated)
    half = int(rng.random() * (dark + bright) >= dark)
    rows: list[list[NDArray[Any]]] = []
    for i in range(plan.batch):
        from_labelled = labelled[half] and (i < plan.batch * plan.own_share or not simulated[half])
        samples = labelled[half] if from_labelled else simulated[half]
        sample = samples[int(rng.integers(len(samples)))]
        y, x = (int(rng.integers(n - CROP + 1)) for n in sample.cover.shape)
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
        arrays = [a[..., y : y + CROP, x : x + CROP] for a in sample[:4]]
        arrays = [np.rot90(a[..., ::-1, :] if mirror else a, turns, axes=(-2, -1)) for a in arrays]
        image = arrays[0].astype(np.float32) * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.25)
        rows.append([image, sample.about, *(np.ascontiguousarray(a) for a in arrays[1:])])
    images, about, cover, weight, unusable = (torch.from_numpy(np.stack(c)) for c in zip(*rows, strict=True))
    return images.float(), about, cover.float() / 255, weight.float() / 16, unusable


def _measure_loss(logits: Tensor, cover: Tensor, weight: Tensor, unusable: Tensor) -> Tensor:
    """Weighted cross-entropy + 0.25 × Dice loss of the pores + 0.2 × cross-entropy of unusable sheet.

    Logits have shape (B, 2, M, N), the truth (B, M, N). Pixels with ``unusable`` = `UNKNOWN` are left out
    of the last term.
    """
    pore = logits[:, 0]
    entropy = (functional.binary_cross_entropy_with_logits(pore, cover, reduction="none") * weight).mean()
    p = torch.sigmoid(pore)
    dice = 1 - (2 * (weight * p * cover).sum() + 1) / ((weight * (p + cover)).sum() + 1)
    known = unusable != UNKNOWN
    other = functional.binary_cross_entropy_with_logits(logits[:, 1][known], unusable[known].float())
    return entropy + 0.25 * dice + 0.2 * (other if bool(known.any()) else 0.0)


class Trainer:
    """A network in training, with everything that a checkpoint holds.

    Parameters
    ----------
    plan : Plan
    start : dict of str to Tensor, optional
        Weights to start from, as `onnx_file.read_weights` reads them; random ones if not given.

    Attributes
    ----------
    net, mean : Net
        The network, and the moving average of its weights, which is what is exported.
    step : int
        Steps taken.
    seconds : float
        Training time [s].
    """

    def __init__(self, plan: Plan, start: dict[str, Tensor] | None = None) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.net = Net(plan.channels, norm=start is None).to(memory_format=torch.channels_last)
        if start is not None:
            self.net.load_state_dict(start)
        self.mean = Net(plan.channels, norm=start is None)
        self.mean.load_state_dict(self.net.state_dict())
        self.mean.eval()
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=plan.rate, weight_decay=1e-4)
        self.step, self.seconds = 0, 0.0

    @property
    def progress(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        parts = [0.0]
        if self.plan.steps:
            parts.append(self.step / self.plan.steps)
        if self.plan.minutes:
            parts.append(self.seconds / 60 / self.plan.minutes)
        return min(max(parts), 1.0)

    def learn(self, batch: tuple[Tensor, ...]) -> float:
        """Take one training step.

        Parameters
        ----------
        batch : tuple of Tensor
            image (B, 3, M, N), about (B, modes); cover, weight and unusable (B, M, N).

        Returns
        -------
        float
            Loss of the batch before the step.
        """
        image, about, cover, weight, unusable = batch
        warm = min(1.0, (self.step + 1) / _WARM_UP)
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.plan.rate * warm * (0.5 + 0.5 * np.cos(np.pi * self.progress)))
        self.net.train()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.net(image.contiguous(memory_format=torch.channels_last), about)
        loss = _measure_loss(logits.float(), cover, weight, unusable)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(0.999, self.step / (self.step + 10))  # of the average; young weights fade sooner
        with torch.no_grad():
            for mean, now in zip(
                self.mean.state_dict().values(), self.net.state_dict().values(), strict=True
            ):
                if mean.dtype.is_floating_point:
                    mean.lerp_(now, 1 - keep)
        return loss.item()

    def validate(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Measure the averaged network's loss on validation samples.

        Parameters
        ----------
        samples : sequence of Sample

        Returns
        -------
        dict of str to float
            Mode (of `MODES`) → mean loss of its samples.
        """
        losses: dict[str, list[float]] = {}
        with torch.no_grad():
            for s in samples:
                about = torch.from_numpy(s.about)[None]
                logits = self.mean(torch.from_numpy(s.image.astype(np.float32))[None], about)
                arrays = (torch.from_numpy(a)[None] for a in (s.cover, s.weight, s.unusable))
                cover, weight, unusable = arrays
                loss = _measure_loss(logits, cover / 255, weight / 16, unusable)
                mode = MODES[1 + int(s.about[:-1].argmax())] if s.about[:-1].any() else MODES[0]
                losses.setdefault(mode, []).append(float(loss))
        return {mode: float(np.mean(values)) for mode, values in sorted(losses.items())}

    def save(self, path: Path) -> None:
        """Write a checkpoint.

        Parameters
        ----------
        path : Path
        """
        state = {
            "plan": asdict(self.plan), "net": self.net.state_dict(), "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(), "step": self.step, "seconds": self.seconds,
        }  # fmt: skip
        with write_whole(path) as part:
            torch.save(state, part)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint that `save` wrote.

        Parameters
        ----------
        path : Path
        """
        state = torch.load(path, weights_only=True)
        for name in ("net", "mean", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]


def train(
    plan: Plan,
    folder: Path,
    *,
    labelled: Sequence[Sample] = (),
    start: dict[str, Tensor] | None = None,
    on_round: Callable[[Trainer, float, dict[str, float]], None] = lambda *_: None,
) -> Trainer:
    """Train a network until the plan is done.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Where ``checkpoint.pt`` goes; the training continues from it if it is there.
    labelled : sequence of Sample
        Labelled micrographs, as `samples.read_samples` reads them.
    start : dict of str to Tensor, optional
        Weights to start from, as `onnx_file.read_weights` reads them; random ones if not given.
    on_round : callable
        Called after each round with the trainer, the mean training loss of the round and, in every tenth
        round, the validation loss of each mode.

    Returns
    -------
    Trainer
    """
    trainer = Trainer(plan, start)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    validation = make_samples("validation", 0, VALIDATION)
    kept: list[list[Sample]] = []
    labelled_by_half = _split_by_half(labelled)
    saved = time.monotonic()
    began = saved - trainer.seconds
    with processes.start_pool(1) as pool:
        rounds = _draw_rounds(pool, plan, trainer.step // ROUND)
        while trainer.progress < 1:
            kept = [*kept, next(rounds)][-_KEPT_ROUNDS:]
            simulated = _split_by_half([sample for part in kept for sample in part])
            losses = []
            for _ in range(ROUND):
                batch = _draw_batch(simulated, labelled_by_half, plan, trainer.step)
                losses.append(trainer.learn(batch))
                trainer.seconds = time.monotonic() - began
                if trainer.progress >= 1:
                    break
            due = trainer.step // ROUND % _VALIDATE_EVERY == 0
            on_round(trainer, float(np.mean(losses)), trainer.validate(validation) if due else {})
            if time.monotonic() - saved > _SAVE_EVERY or trainer.progress >= 1:
                trainer.save(checkpoint)
                saved = time.monotonic()
    return trainer


def _draw_rounds(pool: Executor, plan: Plan, first: int) -> Iterator[list[Sample]]:
    """Yield each round's simulated samples; the next round's are simulated during the training."""

    def submit(number: int) -> list[Future[list[Sample]]]:
        starts = range(number * NEW_SAMPLES, (number + 1) * NEW_SAMPLES, _TASK)
        return [pool.submit(make_samples, "training", plan.seed, range(s, s + _TASK)) for s in starts]

    number, waiting = first, submit(first)
    while True:
        samples = [sample for future in waiting for sample in future.result()]
        number += 1
        waiting = submit(number)
        yield samples
