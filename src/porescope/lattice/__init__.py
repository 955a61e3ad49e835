"""The crystal's lattice: found in an image, as a ruler, as a detector, as sites of atoms."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
