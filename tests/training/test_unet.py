from __future__ import annotations

from importlib.util import find_spec

import pytest
from conftest import require

from porescope.network import MODES, describe_image

require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")
import torch  # noqa: E402

from porescope.training.unet import VIEWS, Net, find_half  # noqa: E402


def test_haadf_has_a_unet_of_its_own() -> None:
    halves = {
        modality: find_half(describe_image(modality, 0.3)) for modality in ("haadf", "bf", "abf", "hrtem")
    }
    assert halves == {"haadf": 0, "bf": 1, "abf": 1, "hrtem": 1}


@pytest.mark.parametrize("modality", MODES)
def test_only_the_unet_of_the_modality_decides(modality: str) -> None:
    torch.manual_seed(0)
    net = Net((4, 8), norm=False).eval()
    image, about = (
        torch.randn(3, VIEWS, 16, 24),
        torch.from_numpy(describe_image(modality, None)).expand(3, -1),
    )
    with torch.no_grad():
        logits = net(image, about)
        other = net.halves[1 - find_half(about[0])]
        for parameter in other.parameters():
            parameter.zero_()
        assert logits.shape == (3, 2, 16, 24)
        assert torch.equal(net(image, about), logits)
        assert not torch.equal(net.halves[find_half(about[0])](image, about + 1), logits)  # about is seen
