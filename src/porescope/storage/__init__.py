"""Files in a store, such as S3: addresses, copies, files created once, and a lock that outlives nobody."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
