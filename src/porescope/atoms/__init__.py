"""The atoms of a sheet: their sites in an image, which are empty, and what they leave free."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
