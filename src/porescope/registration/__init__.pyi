from .correlation import Comparison, compare, refine_peak

__all__ = ["Comparison", "compare", "refine_peak"]
