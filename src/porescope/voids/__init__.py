"""Pores as dark or bright voids of a membrane, at magnifications where no lattice shows."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
