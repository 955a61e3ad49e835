"""Runs of many images: the job, one image, the batch, the folder, the tuning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
