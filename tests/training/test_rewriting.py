from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from conftest import require

from porescope.network import MODES

require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")
import torch  # noqa: E402

from porescope.training.onnx_file import _Probabilities, _trace  # noqa: E402
from porescope.training.rewriting import _add_up  # noqa: E402
from porescope.training.unet import VIEWS, UNet  # noqa: E402


@pytest.mark.parametrize("shape", [(16, 24), (64, 32)])
def test_a_rewritten_unet_predicts_the_same_to_the_border(shape: tuple[int, int]) -> None:
    import onnxruntime

    torch.manual_seed(0)
    net = UNet((8, 12, 16), norm=False).eval()
    with torch.no_grad():
        for parameter in net.parameters():  # weights are stored in 16 bits
            parameter.copy_(parameter.half().float())
    model = _trace(net, "maps")
    kinds = [node.op_type for node in model.graph.node]
    assert "Resize" not in kinds and kinds.count("Conv") == 3 + 2 * 2 + 2 * (4 + 2) + 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image, about = torch.randn(1, VIEWS, *shape), torch.randn(1, len(MODES))
    (maps,) = session.run(None, {"image": image.numpy(), "about": about.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(maps, _Probabilities(net)(image, about).numpy(), atol=1e-5)


def test_weights_of_equal_pixels_are_added_up() -> None:
    """At the first place of a block, the row above is another coarse pixel's, the other two are its own."""
    summed = np.arange(9) @ _add_up(0, 0)
    assert summed.tolist() == [0, 1 + 2, 3 + 6, 4 + 5 + 7 + 8]
    assert all(_add_up(*place).sum(axis=1).tolist() == [1] * 9 for place in ((0, 1), (1, 0), (1, 1)))
