from .choice import Choice, choose_method
from .detector import Voids
from .doubts import list_doubts

__all__ = ["Choice", "Voids", "choose_method", "list_doubts"]
