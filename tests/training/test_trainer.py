from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import require
from helpers import run

from porescope.network.detector import find_pores
from porescope.network.model import MODES, load_model
from porescope.network.scale import CELL_PX
from porescope.simulation.drawing import simulate
from porescope.simulation.random_scenes import make_generator
from porescope.simulation.scene import Scene
from porescope.training.samples import CROP, FIELD, UNKNOWN, make_samples, read_samples, weigh

require(find_spec("torch") is not None, "PyTorch (pip install 'porescope[train]')")
import torch  # noqa: E402

from porescope.training.onnx_file import fold, read_weights  # noqa: E402
from porescope.training.trainer import Plan, train  # noqa: E402
from porescope.training.unet import Half, Net  # noqa: E402

CHANNELS = (16, 32, 64, 96, 128)


def test_fields_are_at_the_networks_scale_and_their_seed_decides_all() -> None:
    one, same = make_samples("training", 3, range(6)), make_samples("training", 3, range(6))
    for a, b in zip(one, same, strict=True):
        assert a.image.shape[1:] == a.cover.shape == a.weight.shape == a.unusable.shape == (FIELD, FIELD)
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
        assert np.abs(a.image).max() < 25 and a.about.shape == (len(MODES),) and a.weight.min() >= 16


def test_a_small_pore_weighs_almost_as_much_as_a_large_one() -> None:
    labels = np.zeros((120, 130), np.int32)
    cv2.circle(labels, (30, 30), 4, 1, -1)
    cv2.circle(labels, (90, 70), 20, 2, -1)
    weight = weigh(labels)
    assert (weight[labels == 1] == 48).all() and (weight[labels == 2] == 16).all() and weight[0, 0] == 16


def test_labelled_images_become_samples(tmp_path: Path) -> None:
    assert (
        run("simulate", "-o", tmp_path, "--rows", 150, "--columns", 160, "--max-missing", 40).exit_code == 0
    )
    (sample,) = read_samples(tmp_path)
    truth = simulate(Scene(shape=(150, 160), max_missing=40), name="x")
    scale = CELL_PX * 0.04 / 0.3153
    assert sample.image.shape[1:] == (max(round(150 * scale), CROP),) * 2
    assert (sample.unusable == UNKNOWN).all()
    assert sample.cover.sum() / 255 == pytest.approx((truth.labels > 0).sum() * scale**2, rel=0.05)
    (tmp_path / "WS2_haadf_0_standard.tif").unlink()
    with pytest.raises(ValueError, match="holds no image with a standard beside it"):
        read_samples(tmp_path)


def test_folding_leaves_the_network_as_it_is() -> None:
    torch.manual_seed(0)
    net = Half(CHANNELS)
    image, about = torch.randn(2, 2, 64, 96), torch.eye(3)[:2]
    for _ in range(3):  # so that the normalizations have seen something
        net(image, about)
    net.eval()
    with torch.no_grad():
        difference = (net(image, about) - fold(net, CHANNELS)(image, about)).abs().max()
    assert difference < 1e-3


def test_training_learns_stops_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("NEW_FIELDS", 25), ("ROUND", 6), ("VALIDATION", 4)):
        monkeypatch.setattr(f"porescope.training.trainer.{name}", value)
    losses: list[float] = []
    plan = Plan(steps=24, batch=4, seed=5)
    trainer = train(plan, tmp_path, on_round=lambda t, loss, s: losses.append(loss))
    assert trainer.step == 24 and losses[-1] < losses[0]
    again = train(Plan(steps=30, batch=4, seed=5), tmp_path)
    assert again.step == 30


def test_labelled_images_of_one_contrast_leave_the_other_half_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("NEW_FIELDS", 25), ("ROUND", 4), ("VALIDATION", 1)):
        monkeypatch.setattr(f"porescope.training.trainer.{name}", value)
    own = [s for s in make_samples("training", 3, range(8)) if not s.about[:-1].any()]
    before = Net(CHANNELS, norm=False)
    dark, bright = train(
        Plan(steps=4, batch=2, seed=3), tmp_path, own=own, start=before.state_dict()
    ).net.halves
    moved = [
        any(not torch.equal(a, b) for a, b in zip(now.parameters(), then.parameters(), strict=True))
        for now, then in zip((dark, bright), before.halves, strict=True)
    ]
    assert moved == [True, False]


def test_steps_and_seed_repeat_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("NEW_FIELDS", 25), ("ROUND", 3), ("VALIDATION", 1)):
        monkeypatch.setattr(f"porescope.training.trainer.{name}", value)
    (tmp_path / "one").mkdir()
    (tmp_path / "same").mkdir()
    one, same = (train(Plan(steps=6, batch=2, seed=3), tmp_path / name).mean for name in ("one", "same"))
    pairs = zip(one.parameters(), same.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_train_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("NEW_FIELDS", 25), ("ROUND", 4), ("VALIDATION", 2)):
        monkeypatch.setattr(f"porescope.training.trainer.{name}", value)
    monkeypatch.setattr("porescope.training.rating.IMAGES", 2)
    mine = tmp_path / "mine"
    assert run("simulate", "-o", mine, "--max-missing", 40, "--seed", 3).exit_code == 0
    options = ["--steps", 4, "--from", "shipped", "--standards", mine]
    result = run("train", "-o", tmp_path / "model", *options)
    assert result.exit_code == 0, result.output
    path = tmp_path / "model" / "model.onnx"
    card = load_model(path).card
    assert card["steps"] == 4 and card["own_images"] == 1 and card["porescope"]
    assert card["rated_on"][0] == 2
    # Four careful steps leave a good network good.
    drawn = simulate(Scene(pores=4, max_missing=30, dose=2e6), seed=9)
    found = find_pores(drawn.micrograph, model=load_model(path))
    shipped = find_pores(drawn.micrograph)
    assert np.abs(found.probability - shipped.probability).mean() < 0.02
    assert run("detect", mine, "--model", path, "-o", tmp_path / "out").exit_code == 0


def test_the_shipped_weights_can_be_read_back() -> None:
    from porescope.network.model import SHIPPED, describe, predict

    net = Net(CHANNELS, norm=False).eval()
    net.load_state_dict(read_weights(SHIPPED))
    image = make_generator("validation", 0).normal(size=(2, 64, 96)).astype(np.float32)
    for modality in MODES:
        about = describe(modality, None)
        with torch.no_grad():
            logits = net(torch.from_numpy(image)[None], torch.from_numpy(about)[None])
        ours = torch.sigmoid(logits)[0].numpy()
        np.testing.assert_allclose(ours, predict(image, about, load_model()), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say how long to train"),
        (["--steps", 2, "--from", "nothing.onnx"], "nothing.onnx cannot be read"),
        (["--steps", 2, "--standards", "."], "hold"),
        (["--steps", 2, "--model", "maskrcnn"], "porescope[maskrcnn]"),
    ],
)
def test_wrong_use_of_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[object], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("train", "-o", tmp_path / "model", *options)
    assert result.exit_code == 2 and message in result.output and "Traceback" not in result.output
