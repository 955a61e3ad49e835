from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from porescope.detection import Automatic, choose_detector
from porescope.files import hash_file
from porescope.network import SHIPPED, SHIPPED_SHA256, Network, describe_image, load_model, present
from porescope.network.model import TILE, predict
from porescope.network.runtimes import calculates_bf16, start_bf16
from porescope.simulation import Pore, Scene, simulate
from porescope.voids import Voids


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
    with pytest.raises(ValueError, match=r"none\.onnx cannot be read: No such file or directory; check"):
        load_model(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ValueError, match=r"folder\.onnx is no file"):
        load_model(tmp_path / "folder.onnx")
    (tmp_path / "loop.onnx").symlink_to(tmp_path / "loop.onnx")
    with pytest.raises(ValueError, match=r"loop\.onnx cannot be read"):
        load_model(tmp_path / "loop.onnx")
    with (tmp_path / "large.onnx").open("wb") as file:
        file.truncate(1_000_000_000)  # a hole, which takes no room on the disk
    with pytest.raises(ValueError, match=r"large\.onnx has 1,000,000,000 bytes"):
        load_model(tmp_path / "large.onnx")


def test_the_hash_of_the_shipped_network_is_that_of_its_file() -> None:
    assert hash_file(SHIPPED) == SHIPPED_SHA256 == load_model().sha256


def test_a_damaged_install_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "porescope.onnx"
    damaged.write_bytes(SHIPPED.read_bytes()[:-1] + b"x")
    monkeypatch.setattr("porescope.network.model.SHIPPED", damaged)
    with pytest.raises(ValueError, match=rf"is damaged: .* not {SHIPPED_SHA256[:8]}; reinstall porescope"):
        load_model()
    damaged.unlink()
    with pytest.raises(ValueError, match=r"porescope\.onnx cannot be read: .*; reinstall porescope"):
        load_model()


def _change_card(path: Path, text: str) -> Path:
    """Copy the shipped network with another card: of metadata with the same key the last one counts."""

    def field(number: int, content: bytes) -> bytes:  # as protobuf writes a field of bytes
        size, length = len(content), b""
        while size > 127:
            size, length = size >> 7, length + bytes([size & 127 | 128])
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    entry = field(1, b"porescope") + field(2, text.encode())
    path.write_bytes(SHIPPED.read_bytes() + field(14, entry))
    return path


def test_a_card_may_lack_what_is_not_used(tmp_path: Path) -> None:
    card = {k: v for k, v in load_model().card.items() if k not in ("evidence", "command", "rated_on")}
    model = load_model(_change_card(tmp_path / "a.onnx", json.dumps(card)))
    assert model.card == card and model.sha256 != SHIPPED_SHA256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plan": {}}, "must have a plan with a seed"),
        ({"plan": None}, "must have a plan with a seed"),
        ({"plan": [1]}, "must have a plan with a seed"),
        ({"plan": {"seed": "1"}}, "must have a plan with a seed"),
        ({"steps": {}}, "must have its steps, a whole number"),
        ({"porescope": None}, "must have the version of porescope"),
        ({"porescope": "1" * 1000}, "must have the version of porescope"),
        ({"evidence": None}, "as evidence layers of weights for 21 columns"),
        ({"evidence": {"haadf": ["1", "2", "3", "4"]}}, "as evidence layers of weights"),
        ({"evidence": {"haadf": [[[[1.0]] * 20, [0.0]]]}}, "as evidence layers of weights"),
        ({"evidence": {"haadf": [[[[1.0]] * 21, [0.0, 0.0]]]}}, "as evidence layers of weights"),
        ({"evidence": {"haadf": [[[[1.0]] * 21, [float("nan")]]]}}, "as evidence layers of weights"),
        ({"evidence": {"haadf": [[[[1.0, 1.0]] * 21, [0.0, 0.0]]]}}, "as evidence layers of weights"),
        ({"modes": 5}, "was trained by another version"),
        ({"cell_px": "8"}, "was trained by another version"),
    ],
)
def test_a_card_of_another_form_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = _change_card(tmp_path / "a.onnx", json.dumps({**load_model().card, **change}))
    with pytest.raises(ValueError, match=rf"^a\.onnx.*{message}"):
        load_model(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[" * 100_000, "no network"), ("[1]", "another version"), ("", "no network"), ("{", "no network")],
)
def test_a_card_that_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^a\.onnx.*{message}"):
        load_model(_change_card(tmp_path / "a.onnx", text))


def test_the_network_says_where_it_runs() -> None:
    assert load_model().device == "cpu" and load_model(device="cpu").device == "cpu"
    assert Network(device="cpu").describe()["model"]["device"] == "cpu"


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", r"^device must be auto, cpu, cuda, .*, not 'gpu'$"),
        ("directml", r"^device directml needs another build of onnxruntime; this one offers cpu$"),
    ],
)
def test_a_device_that_is_not_there_is_refused(device: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network(device=device).describe()


def test_bf16_is_refused_where_the_processor_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porescope.network.runtimes.calculates_bf16", lambda: False)
    with pytest.raises(ValueError, match=r"needs a processor with AVX512-BF16 or AMX.*; use float32$"):
        start_bf16(SHIPPED.read_bytes())


def test_bf16_gives_nearly_the_same_numbers() -> None:
    if not calculates_bf16():
        return  # refused, as above
    drawn = simulate(Scene(shape=(160, 192), pores=2, max_missing=12), seed=6)
    image, about = present(drawn.micrograph.image, "haadf"), describe_image("haadf", None)
    plain, fast = predict(image, about, load_model()), predict(image, about, load_model(precision="bf16"))
    assert fast.dtype == np.float32 and 0 < np.abs(fast - plain).max() < 0.05
    assert np.abs(fast - plain).mean() < 0.002
    assert Network(precision="bf16").describe()["model"]["precision"] == "bf16"
    assert Network().describe()["model"]["precision"] == "float32"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int8"}, r"^precision must be float32 or bf16, not 'int8'$"),
        ({"precision": "bf16", "device": "cuda"}, r"^precision bf16 runs on the CPU, not on device cuda; "),
    ],
)
def test_a_precision_that_is_not_there_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network(**options).describe()


def test_bf16_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porescope.network.runtimes.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"precision bf16 needs OpenVINO: .* pip install '\.\[bf16\]'"):
        start_bf16(SHIPPED.read_bytes())


def test_a_device_leaves_the_method_to_the_image() -> None:
    chosen = choose_detector(None, {"device": "cpu", "least_confidence": 0.7})
    assert chosen == Automatic(Network(device="cpu", least_confidence=0.7), Voids(least_confidence=0.7))
