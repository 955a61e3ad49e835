from .climbs import draw_ascent
from .cvvp import draw_cvvp, read_off, write_page
from .isomers import draw_isomers
from .lattice import PALETTE, draw_lattice
from .membrane_plots import draw_conductance, draw_statistics
from .movies import draw_film_frame, draw_growth, draw_kymograph, write_film
from .overlays import draw_image, draw_overlay
from .sheets import draw_density, draw_sheet
from .stages import draw_findings, draw_stages
from .vacancy_map import draw_vacancies

__all__ = [
    "PALETTE",
    "draw_ascent",
    "draw_conductance",
    "draw_cvvp",
    "draw_density",
    "draw_film_frame",
    "draw_findings",
    "draw_growth",
    "draw_image",
    "draw_isomers",
    "draw_kymograph",
    "draw_lattice",
    "draw_overlay",
    "draw_sheet",
    "draw_stages",
    "draw_statistics",
    "draw_vacancies",
    "read_off",
    "write_film",
    "write_page",
]
