"""Many tiles put together to one sheet: where each lies, and which pores are the same."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
