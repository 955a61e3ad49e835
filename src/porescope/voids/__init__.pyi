from .detector import Voids

__all__ = ["Voids"]
