from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from porescope.network import SHIPPED, describe_image, load_model, present
from porescope.network.model import TILE, predict
from porescope.simulation import Pore, Scene, simulate


def test_tiles_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = simulate(Scene(shape=(480, 544), pixel_size=0.04, pores=6, max_missing=60), seed=3)
    image = present(drawn.micrograph.image, "haadf")
    whole = predict(image, describe_image("haadf", None), load_model())
    monkeypatch.setattr("porescope.network.model.TILE", 240)
    tiled = predict(image, describe_image("haadf", None), load_model())
    assert (np.abs(tiled[0] - whole[0]) > 0.2).mean() < 2e-3


def test_a_pore_on_the_seam_of_two_tiles_is_seen_as_by_the_whole() -> None:
    """At the tiles' own size; 1,100 px make two of them, with the seam at 550."""
    pore = Pore((2.4, 550 * 0.0394), missing=25)
    scene = Scene(shape=(128, 1100), pixel_size=0.0394, pores=(pore,), contamination=0.0)
    drawn = simulate(scene, seed=2)
    image = present(drawn.micrograph.image, "haadf")
    assert image.shape[2] > TILE
    tiled = predict(image, describe_image("haadf", None), load_model())[0]
    window = np.ascontiguousarray(image[:, :, 550 - 320 : 550 + 320])
    alone = predict(window, describe_image("haadf", None), load_model())[0]
    seam = tiled[:, 545:555]
    assert (drawn.labels[:, 545:555] > 0).any() and seam.max() > 0.9
    assert np.abs(seam - alone[:, 315:325]).max() < 0.2


def test_turned_images_give_turned_pores() -> None:
    drawn = simulate(Scene(shape=(160, 160), pores=2, max_missing=12), seed=6)
    image = present(drawn.micrograph.image, "haadf")
    here = predict(image, describe_image("haadf", None), load_model(), turned=True)
    there = predict(
        np.ascontiguousarray(np.rot90(image, axes=(1, 2))),
        describe_image("haadf", None),
        load_model(),
        turned=True,
    )
    np.testing.assert_allclose(np.rot90(here, axes=(1, 2)), there, atol=1e-4)


def test_the_shipped_model_is_small_and_needs_no_torch() -> None:
    assert SHIPPED.stat().st_size <= 4e6
    code = (
        "import sys, numpy as np; from porescope import Micrograph, detect; "
        "detect(Micrograph(np.ones((40, 50)), 0.04)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"no\.onnx is no network of porescope's"):
        load_model(tmp_path / "no.onnx")
    with pytest.raises(ValueError, match=r"none\.onnx cannot be read"):
        load_model(tmp_path / "none.onnx")
