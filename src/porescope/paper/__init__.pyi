from .figures import Figures, draw_figures
from .methods import describe_methods

__all__ = ["Figures", "describe_methods", "draw_figures"]
