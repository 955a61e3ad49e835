from .climbs import draw_ascent
from .compact import encode_micrograph, encode_vacancies
from .cvvp import ShownImage, draw_cvvp, write_page
from .greys import choose_bar, to_gray
from .isomers import draw_isomers
from .lattice import PALETTE, draw_lattice
from .membrane_plots import draw_conductance, draw_sizes, draw_statistics
from .movies import draw_growth, draw_kymograph, make_film_frame, write_film
from .overlays import draw_image, draw_overlay
from .panels import new_figure, save_figure
from .sheets import draw_density, draw_sheet
from .stages import draw_findings, draw_stages
from .vacancy_map import draw_vacancies

__all__ = [
    "PALETTE",
    "ShownImage",
    "choose_bar",
    "draw_ascent",
    "draw_conductance",
    "draw_cvvp",
    "draw_density",
    "make_film_frame",
    "draw_findings",
    "draw_growth",
    "draw_image",
    "draw_isomers",
    "draw_kymograph",
    "draw_lattice",
    "draw_overlay",
    "draw_sheet",
    "draw_sizes",
    "draw_stages",
    "draw_statistics",
    "draw_vacancies",
    "encode_micrograph",
    "encode_vacancies",
    "new_figure",
    "save_figure",
    "to_gray",
    "write_film",
    "write_page",
]
