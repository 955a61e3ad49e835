from .drift import Drift, find_drift

__all__ = [
    "Drift",
    "find_drift",
]
