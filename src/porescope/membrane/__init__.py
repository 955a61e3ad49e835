"""What the pores of a sheet tell together: its conductance, their pattern, their isomers and shapes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
