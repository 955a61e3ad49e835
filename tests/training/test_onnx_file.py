from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import require

from porescope.network import MODES, SHIPPED, describe_image, load_model
from porescope.network.model import predict
from porescope.simulation import make_generator

require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")
import torch  # noqa: E402

from porescope.training import Plan, Trainer, add_to_card, export_model, read_weights  # noqa: E402
from porescope.training.onnx_file import fold_normalizations  # noqa: E402
from porescope.training.unet import VIEWS, Net, UNet  # noqa: E402

CHANNELS = Plan.channels


def test_a_network_that_gives_no_two_maps_is_refused(tmp_path: Path) -> None:
    """Its card and its inputs are right; its output is the mean of each channel."""
    from onnx import TensorProto, helper, save

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 2, None, None])
    about = helper.make_tensor_value_info("about", TensorProto.FLOAT, [None, 3])
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, None)
    node = helper.make_node("GlobalAveragePool", ["image"], ["mean"])
    graph = helper.make_graph([node], "porescope", [image, about], [mean])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"porescope": json.dumps(load_model().card)})
    save(model, str(tmp_path / "mean.onnx"))
    with pytest.raises(ValueError, match=r"mean\.onnx gives no two maps of an image"):
        load_model(tmp_path / "mean.onnx")


def test_folding_leaves_the_network_as_it_is() -> None:
    torch.manual_seed(0)
    net = UNet(CHANNELS)
    image, about = torch.randn(2, VIEWS, 64, 96), torch.eye(3)[:2]
    for _ in range(3):  # so that the normalizations have seen something
        net(image, about)
    net.eval()
    with torch.no_grad():
        difference = (net(image, about) - fold_normalizations(net, CHANNELS)(image, about)).abs().max()
    assert difference < 1e-3


def test_the_shipped_weights_can_be_read_back() -> None:
    net = Net(CHANNELS, norm=False).eval()
    net.load_state_dict(read_weights(SHIPPED))
    image = make_generator("validation", 0).normal(size=(VIEWS, 64, 96)).astype(np.float32)
    for modality in MODES:
        about = describe_image(modality, None)
        with torch.no_grad():
            logits = net(torch.from_numpy(image)[None], torch.from_numpy(about)[None])
        ours = torch.sigmoid(logits)[0].numpy()
        np.testing.assert_allclose(ours, predict(image, about, load_model()), atol=1e-4)


def test_an_exported_network_predicts_what_the_averaged_one_does(tmp_path: Path) -> None:
    trainer = Trainer(Plan(steps=1, channels=(8, 8, 8, 8, 8)))
    with torch.no_grad():
        for parameter in trainer.net.parameters():  # only the average is exported
            parameter.zero_()
    path = tmp_path / "model.onnx"
    export_model(trainer, path, {"command": "test", "rated_on": [1, 1]})
    add_to_card(path, {"rated_on": [2, 5]})
    model = load_model(path)
    assert (model.card["command"], model.card["rated_on"], model.card["steps"]) == ("test", [2, 5], 0)
    image = make_generator("validation", 1).normal(size=(VIEWS, 64, 96)).astype(np.float32)
    for modality in MODES:
        about = describe_image(modality, 0.3)
        with torch.no_grad():
            logits = trainer.mean(torch.from_numpy(image)[None], torch.from_numpy(about)[None])
        expected = torch.sigmoid(logits)[0].numpy()
        np.testing.assert_allclose(predict(image, about, model), expected, atol=2e-3)
