from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import require

from porescope.training.samples import CROP, UNKNOWN, Sample, make_samples

require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")
import torch  # noqa: E402

from porescope.training import Plan, Trainer, train  # noqa: E402
from porescope.training import trainer as module  # noqa: E402
from porescope.training.unet import VIEWS, Net  # noqa: E402


def shorten(monkeypatch: pytest.MonkeyPatch, steps: int, validation: int) -> None:
    """Make rounds of a few steps, with few new samples and few to validate on."""
    monkeypatch.setattr(module, "NEW_SAMPLES", 25)
    monkeypatch.setattr(module, "ROUND", steps)
    monkeypatch.setattr(module, "VALIDATION", range(validation))


def test_training_learns_stops_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, steps=6, validation=4)
    losses: list[float] = []
    plan = Plan(steps=24, batch=4, seed=5)
    trainer = train(plan, tmp_path, on_round=lambda t, loss, s: losses.append(loss))
    assert trainer.step == 24 and losses[-1] < losses[0]
    again = train(Plan(steps=30, batch=4, seed=5), tmp_path)
    assert again.step == 30


def test_labelled_images_of_one_contrast_leave_the_other_half_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, steps=4, validation=1)
    labelled = [s for s in make_samples("training", 3, range(16)) if not s.about[:-1].any()]
    assert labelled
    before = Net(Plan.channels, norm=False)
    dark, bright = train(
        Plan(steps=4, batch=2, seed=3), tmp_path, labelled=labelled, start=before.state_dict()
    ).net.halves
    moved = [
        any(not torch.equal(a, b) for a, b in zip(now.parameters(), then.parameters(), strict=True))
        for now, then in zip((dark, bright), before.halves, strict=True)
    ]
    assert moved == [True, False]


def test_steps_and_seed_repeat_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, steps=3, validation=1)
    (tmp_path / "one").mkdir()
    (tmp_path / "same").mkdir()
    one, same = (train(Plan(steps=6, batch=2, seed=3), tmp_path / name).mean for name in ("one", "same"))
    pairs = zip(one.parameters(), same.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def make_labelled(rng: np.random.Generator, modality: int, cover: int | None = None) -> Sample:
    """A sample of one modality (0: HAADF, 1: BF) whose truth is its image, or constant."""
    truth = rng.integers(0, 256, (CROP + 32, CROP + 32)).astype(np.uint8)
    if cover is not None:
        truth[:] = cover
    unknown = np.full(truth.shape, UNKNOWN, np.uint8)
    about = np.array([float(modality), 0, 0], np.float32)
    return Sample(np.stack([truth] * VIEWS).astype(np.float16), truth, truth, unknown, about)


def test_image_and_truth_are_turned_together() -> None:
    samples = [[make_labelled(np.random.default_rng(0), 0)], []]
    image, about, cover, weight, unusable = module._draw_batch(samples, [[], []], Plan(batch=8), step=0)
    assert image.shape == (8, VIEWS, CROP, CROP) and about.shape == (8, 3) and (unusable == UNKNOWN).all()
    for seen, truth, weights in zip(image[:, 0], cover, weight, strict=True):
        assert np.corrcoef(seen.ravel(), truth.ravel())[0, 1] == pytest.approx(1, abs=1e-4)
        assert torch.allclose(16 * weights, 255 * truth)
    assert len({float(c[0, 0]) for c in cover}) > 4  # each is cropped and turned by itself


@pytest.mark.parametrize(("share", "expected"), [(0.5, 4), (0.25, 2), (1.0, 8)])
def test_a_batch_holds_its_share_of_labelled_images(share: float, expected: int) -> None:
    rng = np.random.default_rng(0)
    simulated = [[make_labelled(rng, 0, cover=0)], [make_labelled(rng, 1, cover=0)]]
    labelled = [[], [make_labelled(rng, 1, cover=255)]]
    for step in range(5):
        _, about, cover, *_ = module._draw_batch(simulated, labelled, Plan(own_share=share), step)
        assert (about[:, 0] == 1).all()  # only the U-Net that has labelled images learns
        assert int((cover.mean((1, 2)) == 1).sum()) == expected


def test_the_loss_by_hand() -> None:
    logits, cover, weight = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    pores = np.log(2) + 0.25 * (1 - 1 / (4 * 0.5 + 1))
    unknown = torch.full((1, 2, 2), UNKNOWN, dtype=torch.uint8)
    assert float(module._measure_loss(logits, cover, weight, unknown)) == pytest.approx(pores)
    known = unknown.clone()
    known[0, 0, 0] = 1
    loss = float(module._measure_loss(logits, cover, weight, known))
    assert loss == pytest.approx(pores + 0.2 * np.log(2))


def test_a_checkpoint_holds_the_whole_state(tmp_path: Path) -> None:
    samples = [[make_labelled(np.random.default_rng(0), 0)], []]
    plan = Plan(steps=4, batch=2, channels=(4, 8, 8, 8, 8))
    batches = [module._draw_batch(samples, [[], []], plan, step) for step in range(4)]
    one, other = Trainer(plan), Trainer(plan)
    for batch in batches[:2]:
        one.learn(batch)
    one.save(tmp_path / "checkpoint.pt")
    other.load(tmp_path / "checkpoint.pt")
    assert other.step == 2 and other.progress == 0.5
    for batch in batches[2:]:
        assert one.learn(batch) == other.learn(batch)
    assert all(torch.equal(a, b) for a, b in zip(one.mean.parameters(), other.mean.parameters(), strict=True))
    losses = one.validate([*samples[0], make_labelled(np.random.default_rng(1), 1)])
    assert list(losses) == ["bf", "haadf"]
