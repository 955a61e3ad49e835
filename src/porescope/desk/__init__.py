"""The desk: images looked at, corrected and tuned on in napari; the only wing that uses napari and Qt."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
