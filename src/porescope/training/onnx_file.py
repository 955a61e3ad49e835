"""The network's file: ONNX, with a card (JSON metadata) that records the training."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from porescope.files import write_whole
from porescope.network import CELL_PX, INPUTS, MODES
from porescope.training.rewriting import rewrite
from porescope.training.trainer import Trainer
from porescope.training.unet import VIEWS, UNet


def fold_normalizations(net: UNet, channels: Sequence[int]) -> UNet:
    """Fold each batch normalization into the convolution before it.

    Parameters
    ----------
    net : UNet
        In evaluation mode it gives the same output as the result.
    channels : sequence of int
        Its channels at each level, finest first.

    Returns
    -------
    UNet
        Without batch normalization, in evaluation mode.
    """
    plain = UNet(channels, norm=False)
    state = {}
    for name, module in net.named_modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i, layer in enumerate(module):
            if isinstance(layer, nn.Conv2d):
                weight, bias = layer.weight.detach(), layer.bias.detach()
                after = module[i + 1]
                if isinstance(after, nn.BatchNorm2d):
                    scale = after.weight / torch.sqrt(after.running_var + after.eps)
                    weight = weight * scale.detach()[:, None, None, None]
                    bias = ((bias - after.running_mean) * scale + after.bias).detach()
                state[f"{name}.{i}.weight"], state[f"{name}.{i}.bias"] = weight, bias
    state["head.weight"], state["head.bias"] = net.head.weight.detach(), net.head.bias.detach()
    plain.load_state_dict(state)
    return plain.eval()


class _Probabilities(nn.Module):
    """A U-Net that gives probabilities instead of logits."""

    def __init__(self, net: UNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, about: Tensor) -> Tensor:
        return torch.sigmoid(self.net(image, about))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of an exported network, to continue training from them.

    Parameters
    ----------
    path : Path
        Written by `export_model`.

    Returns
    -------
    dict of str to Tensor
        State of a `Net` without batch normalization.
    """
    import onnx
    from onnx import numpy_helper

    choice = next(node for node in onnx.load(str(path)).graph.node if node.op_type == "If")
    branches = {attribute.name: attribute.g for attribute in choice.attribute}
    weights = {
        f"halves.{half}.{w.name.removeprefix('net.').removesuffix('.stored')}": torch.from_numpy(
            numpy_helper.to_array(w).astype(np.float32)
        )
        for half, name in enumerate(("else_branch", "then_branch"))
        for w in branches[name].initializer
        if w.name.startswith("net.")
    }
    return {name: _see_all(w) if name.endswith("down.0.0.weight") else w for name, w in weights.items()}


def _see_all(weight: Tensor) -> Tensor:
    """Weights of the first convolution for all views; those that the network did not see begin at 0."""
    missing = VIEWS * 4 + len(MODES) - weight.shape[1]
    seen = weight.shape[1] - len(MODES)
    blank = torch.zeros(weight.shape[0], missing, *weight.shape[2:])
    return torch.cat([weight[:, :seen], blank, weight[:, seen:]], 1)


def export_model(trainer: Trainer, path: Path, card: dict[str, Any]) -> None:
    """Write the averaged network as ONNX, with its card as metadata ``porescope``.

    Parameters
    ----------
    trainer : Trainer
    path : Path
        The ONNX file.
    card : dict
        Facts to add to the card, in which version, plan, steps and minutes are recorded anyway.
    """
    import onnx

    channels = trainer.plan.channels
    facts = {
        "porescope": version("porescope"), "cell_px": CELL_PX, "modes": MODES,
        "plan": asdict(trainer.plan), "steps": trainer.step, "minutes": round(trainer.seconds / 60, 1),
        **card,
    }  # fmt: skip
    dark, bright = trainer.mean.halves
    model = _join(
        _trace(fold_normalizations(dark, channels), "dark"),
        _trace(fold_normalizations(bright, channels), "bright"),
    )
    onnx.helper.set_model_props(model, {"porescope": json.dumps(facts)})
    with write_whole(path) as part:
        onnx.save(model, str(part))


def _trace(net: UNet, name: str) -> Any:
    """Convert a U-Net to an ONNX model with an output of this name and weights stored in 16 bits."""
    import onnx
    from onnx import numpy_helper

    example = (torch.zeros(1, VIEWS, 64, 96), torch.zeros(1, len(MODES)))
    axes = {"image": {0: "batch", 2: "rows", 3: "columns"}, "about": {0: "batch"}}
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but the new exporter needs a further package
        torch.onnx.export(
            _Probabilities(net), example, content, input_names=INPUTS, output_names=[name],
            dynamic_axes={**axes, name: axes["image"]}, opset_version=17, dynamo=False,
        )  # fmt: skip
    model = onnx.load_from_string(content.getvalue())
    casts = []  # weights are stored as float16 and cast to float32 when the model is loaded
    for weight in model.graph.initializer:
        if weight.name.startswith("net."):
            stored = f"{weight.name}.stored"
            casts.append(onnx.helper.make_node("Cast", [stored], [weight.name], to=onnx.TensorProto.FLOAT))
            array = numpy_helper.to_array(weight).astype(np.float16)
            weight.CopyFrom(numpy_helper.from_array(array, stored))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    rewrite(model.graph)
    return model


def _join(dark: Any, bright: Any) -> Any:
    """Join two ONNX models into one, which runs the one for the modality of the image."""
    import onnx
    from onnx import helper, numpy_helper

    inputs, output = list(dark.graph.input), onnx.ValueInfoProto()
    output.CopyFrom(dark.graph.output[0])
    output.name = "probability"
    for model in (dark, bright):
        del model.graph.input[:]
    known = {"first": [0], "last": [len(MODES) - 1], "axis": [1]}
    nodes = [
        helper.make_node("Slice", ["about", *known], ["modes"]),
        helper.make_node("ReduceMax", ["modes"], ["mode"], keepdims=0),
        helper.make_node("Cast", ["mode"], ["is_bright"], to=onnx.TensorProto.BOOL),
        helper.make_node(
            "If", ["is_bright"], ["probability"], then_branch=bright.graph, else_branch=dark.graph
        ),
    ]
    constants = [numpy_helper.from_array(np.array(v), k) for k, v in known.items()]
    graph = helper.make_graph(nodes, "porescope", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=dark.opset_import, ir_version=dark.ir_version)
    onnx.checker.check_model(model, full_check=True)
    return model


def add_to_card(path: Path, facts: dict[str, Any]) -> None:
    """Add facts to the card of an exported network.

    Parameters
    ----------
    path : Path
        The ONNX file, which is replaced.
    facts : dict
        Added to the card; facts of the same name are replaced.
    """
    import onnx

    model = onnx.load(str(path))
    card = json.loads(next(p.value for p in model.metadata_props if p.key == "porescope"))
    onnx.helper.set_model_props(model, {"porescope": json.dumps({**card, **facts})})
    with write_whole(path) as part:
        onnx.save(model, str(part))
