from .climbs import draw_ascent
from .cvvp import draw_cvvp, read_off, write_page
from .lattice import PALETTE, draw_lattice
from .overlays import draw_image, draw_overlay
from .stages import draw_findings, draw_stages
from .vacancy_map import draw_vacancies

__all__ = [
    "PALETTE",
    "draw_ascent",
    "draw_cvvp",
    "draw_findings",
    "draw_image",
    "draw_lattice",
    "draw_overlay",
    "draw_stages",
    "draw_vacancies",
    "read_off",
    "write_page",
]
