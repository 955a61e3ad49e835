"""A run on many machines: chunks of files sent to a Dask cluster; what a run of any size would take."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
