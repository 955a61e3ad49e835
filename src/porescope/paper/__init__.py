"""What a paper takes of a run: figures, the paragraph of the methods, references."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
