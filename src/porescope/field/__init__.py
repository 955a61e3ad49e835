"""The field of view: where an image has data, and where alignment, a stopped scan or a frame left none."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
