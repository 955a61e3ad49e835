from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import require

from porescope.simulation import Scene, simulate
from porescope.training.samples import make_samples

require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")
from porescope.training import MaskRCNN, train_maskrcnn  # noqa: E402
from porescope.training.maskrcnn import describe_pores, load_maskrcnn  # noqa: E402


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torchvision", reason="torchvision (the extra maskrcnn) is not in this environment")
    return train_maskrcnn(tmp_path_factory.mktemp("maskrcnn"), minutes=1, steps=2)


def test_a_detector_is_trained_saved_and_finds_what_it_may(trained: Path) -> None:
    drawn = simulate(Scene(shape=(150, 170), pores=1, max_missing=9), seed=4)
    detector = MaskRCNN(trained)
    assert detector.describe()["model"]["kind"] == "Mask R-CNN"
    found = detector.find(drawn.micrograph)
    labels, probability = found.labels, found.probability
    assert labels.shape == probability.shape == (150, 170)
    assert labels.dtype == np.int32 and probability.dtype == np.float32
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    assert probability.min() >= 0 and probability.max() <= 1 and (probability[labels > 0] > 0.25).all()
    again = detector.find(drawn.micrograph)
    assert (again.labels == labels).all() and (again.probability == probability).all()


def test_heads_learn_from_labelled_images_alone(trained: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, float, float]] = []
    standards = [s for s in make_samples("validation", 0, range(6)) if s.cover.any()]
    path = train_maskrcnn(
        tmp_path, minutes=1, steps=2, standards=standards, start=trained, on_step=lambda *s: steps.append(s)
    )
    assert [step for step, _, _ in steps] == [1, 2] and all(np.isfinite(loss) for _, _, loss in steps)
    before, after = (load_maskrcnn(p).state_dict() for p in (trained, path))
    changed = {name.split(".")[0] for name in before if not before[name].equal(after[name])}
    assert changed == {"rpn", "roi_heads"}


def test_boxes_enclose_pores() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[2:5, 10:20], labels[10:12, 3:5], labels[18, 0] = 1, 2, 3  # the last is a speck
    pores = describe_pores(labels)
    assert pores["boxes"].tolist() == [[10, 2, 20, 5], [3, 10, 5, 12]]
    assert pores["masks"].sum((1, 2)).tolist() == [30, 4] and pores["labels"].tolist() == [1, 1]
    assert describe_pores(labels * 0)["boxes"].shape == (0, 4)


def test_what_is_no_detector_is_refused(trained: Path, tmp_path: Path) -> None:
    drawn = simulate(Scene(shape=(150, 170), pores=1), seed=4)
    (tmp_path / "x.pt").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"x\.pt is no Mask R-CNN of porescope's"):
        MaskRCNN(tmp_path / "x.pt").find(drawn.micrograph)
    with pytest.raises(ValueError, match=r"y\.pt cannot be read"):
        MaskRCNN(tmp_path / "y.pt").describe()
    with pytest.raises(ValueError, match="learn from labelled images"):
        train_maskrcnn(tmp_path, minutes=1, start=trained)
