from .maskrcnn import MaskRCNN, train_maskrcnn
from .onnx_file import add_to_card, export_model, read_weights
from .rating import rate_network
from .samples import read_samples
from .trainer import Plan, Trainer, train

__all__ = [
    "MaskRCNN",
    "Plan",
    "Trainer",
    "add_to_card",
    "export_model",
    "rate_network",
    "read_samples",
    "read_weights",
    "train",
    "train_maskrcnn",
]
