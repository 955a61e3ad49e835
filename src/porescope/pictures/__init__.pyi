from .climbs import draw_ascent
from .compact import encode_micrograph, encode_vacancies
from .cvvp import draw_cvvp, read_off, write_page
from .isomers import draw_isomers
from .lattice import PALETTE, draw_lattice
from .membrane_plots import draw_conductance, draw_statistics
from .overlays import choose_bar, draw_image, draw_overlay
from .stages import draw_findings, draw_stages
from .vacancy_map import draw_vacancies

__all__ = [
    "PALETTE",
    "choose_bar",
    "draw_ascent",
    "draw_conductance",
    "draw_cvvp",
    "draw_findings",
    "draw_image",
    "draw_isomers",
    "draw_lattice",
    "draw_overlay",
    "draw_stages",
    "draw_statistics",
    "draw_vacancies",
    "encode_micrograph",
    "encode_vacancies",
    "read_off",
    "write_page",
]
