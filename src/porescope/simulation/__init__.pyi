from .contamination import thick_carbon
from .drawing import Simulation, draw, expose, simulate
from .membranes import Membrane, draw_membrane
from .optics import Optics
from .random_scenes import draw_pores, draw_scene, make_generator, vary_membrane
from .recording import Recording
from .saving import save_simulation, save_stage
from .scene import Scene
from .series import draw_movie, draw_tiles
from .sheets import Pore
from .specimen import prepare
from .truth import find_truth
from .visibility import fill_pores, measure_snr

__all__ = [
    "Membrane",
    "Optics",
    "Pore",
    "Recording",
    "Scene",
    "Simulation",
    "draw",
    "draw_membrane",
    "draw_movie",
    "draw_pores",
    "draw_scene",
    "draw_tiles",
    "expose",
    "fill_pores",
    "find_truth",
    "make_generator",
    "measure_snr",
    "prepare",
    "save_simulation",
    "save_stage",
    "simulate",
    "thick_carbon",
    "vary_membrane",
]
