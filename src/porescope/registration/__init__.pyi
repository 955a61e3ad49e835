from .correlation import Comparison, compare, refine_peak
from .strength import blur, measure_strength

__all__ = ["Comparison", "blur", "compare", "measure_strength", "refine_peak"]
