"""Train the network on simulated micrographs, and on labelled ones too, with PyTorch."""

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
from porescope.files.writing import write_whole
from porescope.network.model import MODES
from porescope.training.samples import CROP, UNKNOWN, Sample, make_samples
from porescope.training.unet import Net, find_half

#: Steps from one set of new fields to the next, how many fields that is, how many sets are kept.
ROUND, NEW_FIELDS, KEPT_ROUNDS = 150, 300, 10
#: Fields that the loss is measured on beside.
VALIDATION = 64


@dataclass(frozen=True)
class Plan:
    """How a network is trained."""

    minutes: float | None = None  # until the learning rate is 0
    steps: int | None = None  # the same, in steps
    seed: int = 0
    batch: int = 8
    rate: float = 2e-3  # highest learning rate
    channels: tuple[int, ...] = (16, 32, 64, 96, 128)
    own_share: float = 0.5  # of labelled images in a batch, where there are any


def _sort(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples of each half."""
    return [[s for s in samples if find_half(s.about) == half] for half in range(2)]


def _draw_batch(
    samples: list[list[Sample]], own: list[list[Sample]], plan: Plan, step: int
) -> tuple[Tensor, ...]:
    """Cut, turn and vary samples of one half: image, about, cover, weight, unusable.

    The halves take turns as often as there are samples of theirs, labelled ones if there are any.
    """
    rng = np.random.default_rng([9, plan.seed, step])
    dark, bright = map(len, own if any(own) else samples)
    half = int(rng.random() * (dark + bright) >= dark)
    rows: list[list[NDArray[Any]]] = []
    for i in range(plan.batch):
        labelled = own[half] and (i < plan.batch * plan.own_share or not samples[half])
        pool = own[half] if labelled else samples[half]
        sample = pool[int(rng.integers(len(pool)))]
        y, x = (int(rng.integers(n - CROP + 1)) for n in sample.cover.shape)
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
        arrays = [a[..., y : y + CROP, x : x + CROP] for a in sample[:4]]
        arrays = [np.rot90(a[..., ::-1, :] if mirror else a, turns, axes=(-2, -1)) for a in arrays]
        image = arrays[0].astype(np.float32) * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.25)
        rows.append([image, sample.about, *(np.ascontiguousarray(a) for a in arrays[1:])])
    images, about, cover, weight, unusable = (torch.from_numpy(np.stack(c)) for c in zip(*rows, strict=True))
    return images.float(), about, cover.float() / 255, weight.float() / 16, unusable


def measure_loss(logits: Tensor, cover: Tensor, weight: Tensor, unusable: Tensor) -> Tensor:
    """Cross-entropy and a quarter of a Dice, small pores weighing more; a fifth for what is unusable."""
    pore = logits[:, 0]
    entropy = (functional.binary_cross_entropy_with_logits(pore, cover, reduction="none") * weight).mean()
    p = torch.sigmoid(pore)
    dice = 1 - (2 * (weight * p * cover).sum() + 1) / ((weight * (p + cover)).sum() + 1)
    known = unusable != UNKNOWN
    other = functional.binary_cross_entropy_with_logits(logits[:, 1][known], unusable[known].float())
    return entropy + 0.25 * dice + 0.2 * (other if bool(known.any()) else 0.0)


class Trainer:
    """A network being trained, with all that a checkpoint holds."""

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
        """Share of the training done."""
        parts = [0.0]
        if self.plan.steps:
            parts.append(self.step / self.plan.steps)
        if self.plan.minutes:
            parts.append(self.seconds / 60 / self.plan.minutes)
        return min(max(parts), 1.0)

    def learn(self, batch: tuple[Tensor, ...]) -> float:
        """Take one step; give the loss."""
        image, about, cover, weight, unusable = batch
        warm = min(1.0, (self.step + 1) / 200)
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.plan.rate * warm * (0.5 + 0.5 * np.cos(np.pi * self.progress)))
        self.net.train()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.net(image.contiguous(memory_format=torch.channels_last), about)
        loss = measure_loss(logits.float(), cover, weight, unusable)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(0.999, self.step / (self.step + 10))
        with torch.no_grad():
            for mine, theirs in zip(
                self.mean.state_dict().values(), self.net.state_dict().values(), strict=True
            ):
                if mine.dtype.is_floating_point:
                    mine.lerp_(theirs, 1 - keep)
        return loss.item()

    def validate(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Loss of the averaged network on fields of their own, by mode."""
        losses: dict[str, list[float]] = {}
        with torch.no_grad():
            for s in samples:
                about = torch.from_numpy(s.about)[None]
                logits = self.mean(torch.from_numpy(s.image.astype(np.float32))[None], about)
                arrays = (torch.from_numpy(a)[None] for a in (s.cover, s.weight, s.unusable))
                cover, weight, unusable = arrays
                loss = measure_loss(logits, cover / 255, weight / 16, unusable)
                mode = MODES[1 + int(s.about[:-1].argmax())] if s.about[:-1].any() else MODES[0]
                losses.setdefault(mode, []).append(float(loss))
        return {mode: float(np.mean(values)) for mode, values in sorted(losses.items())}

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        state = {
            "plan": asdict(self.plan), "net": self.net.state_dict(), "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(), "step": self.step, "seconds": self.seconds,
        }  # fmt: skip
        with write_whole(path) as part:
            torch.save(state, part)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        for name in ("net", "mean", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]


def train(
    plan: Plan,
    folder: Path,
    *,
    own: Sequence[Sample] = (),
    start: dict[str, Tensor] | None = None,
    on_round: Callable[[Trainer, float, dict[str, float]], None] = lambda *_: None,
) -> Trainer:
    """Train until the plan is done; goes on from ``folder/checkpoint.pt`` where there is one."""
    trainer = Trainer(plan, start)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(checkpoint)
    validation = make_samples("validation", 0, range(VALIDATION))
    kept: list[list[Sample]] = []
    labelled = _sort(own)
    saved = time.monotonic()
    began = saved - trainer.seconds
    with processes.start_pool(1) as pool:
        rounds = _draw_rounds(pool, plan, trainer.step // ROUND)
        while trainer.progress < 1:
            kept = [*kept, next(rounds)][-KEPT_ROUNDS:]
            samples = _sort([sample for part in kept for sample in part])
            losses = []
            for _ in range(ROUND):
                losses.append(trainer.learn(_draw_batch(samples, labelled, plan, trainer.step)))
                trainer.seconds = time.monotonic() - began
                if trainer.progress >= 1:
                    break
            scores = trainer.validate(validation) if trainer.step // ROUND % 10 == 0 else {}
            on_round(trainer, float(np.mean(losses)), scores)
            if time.monotonic() - saved > 240 or trainer.progress >= 1:
                trainer.save(checkpoint)
                saved = time.monotonic()
    return trainer


def _draw_rounds(pool: Executor, plan: Plan, first: int) -> Iterator[list[Sample]]:
    """New fields, drawn while the network learns from the last."""
    part = 25

    def ask(number: int) -> list[Future[list[Sample]]]:
        starts = range(number * NEW_FIELDS, (number + 1) * NEW_FIELDS, part)
        return [pool.submit(make_samples, "training", plan.seed, range(s, s + part)) for s in starts]

    waiting = ask(first)
    number = first
    while True:
        samples = [sample for future in waiting for sample in future.result()]
        number += 1
        waiting = ask(number)
        yield samples
