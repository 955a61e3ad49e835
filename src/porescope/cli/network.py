"""The commands around the network: simulate, train."""

from __future__ import annotations

import enum
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from porescope.cli.console import Modality, put, read_length, read_material, say, stop
from porescope.materials import MATERIALS

if TYPE_CHECKING:
    from porescope.simulation import Scene, Simulation

app = typer.Typer()


class Architecture(enum.StrEnum):
    """Kinds of network that can be trained."""

    unet = "unet"
    maskrcnn = "maskrcnn"


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the images.")],
    material: Annotated[
        str, typer.Option(parser=read_material, metavar="WS2", help=f"Material: {', '.join(MATERIALS)}.")
    ] = "WS2",
    pores: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of pores in an image, or in the sheet of --tiles. Default 5; with --wild random.",
            show_default=False,
        ),
    ] = None,
    max_missing: Annotated[int, typer.Option(min=1, help="Most missing atoms of a pore.")] = 20,
    dose: Annotated[float, typer.Option(help="Dose in electrons per nm². No effect with --wild.")] = 5e5,
    modality: Annotated[
        str, typer.Option(parser=str.lower, metavar="haadf", help="Modality: haadf, bf, abf or hrtem.")
    ] = "haadf",
    pixel_size: Annotated[
        float | None,
        typer.Option(
            parser=read_length,
            metavar="NM",
            help="Pixel size in nm, or with a unit. Default 0.04; with --voids random.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Height of an image in pixels.")] = 512,
    columns: Annotated[int, typer.Option(min=1, help="Width of an image in pixels.")] = 512,
    contamination: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="NM",
            help="Mean thickness in nm of a carbon film on the sheet. Default: a tenth of the thickness that "
            "hides the sheet. No effect with --wild.",
            show_default=False,
        ),
    ] = None,
    wild: Annotated[
        bool,
        typer.Option(
            "--wild",
            help="Draw a random scene as for training. Only material, modality, sizes and, if given, "
            "--pores with --max-missing are kept.",
        ),
    ] = False,
    voids: Annotated[
        bool,
        typer.Option(
            "--voids",
            help="Draw a random membrane at low magnification: many pores, no lattice. Only --modality, "
            "sizes and, if given, --pixel-size and --pores are kept.",
        ),
    ] = False,
    frames: Annotated[
        int, typer.Option(min=1, help="Number of frames of a movie: the pores grow, the sheet drifts.")
    ] = 1,
    tiles: Annotated[
        str | None,
        typer.Option(
            metavar="RxC",
            help="Draw a sheet as R rows and C columns of overlapping images, with their stage positions.",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, help="Number of images (movies, sheets); their seeds count up from --seed.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace existing images.")] = False,
) -> None:
    """Simulate micrographs with known pores: image, label image, table of pores, atoms."""
    from porescope.files import printable
    from porescope.simulation import Scene, save_simulation

    try:
        if tiles and frames > 1:
            raise ValueError("--tiles and --frames do not go together; draw them one after the other")
        if voids and (tiles or frames > 1 or wild):
            raise ValueError(
                "--voids goes with none of --tiles, --frames and --wild; draw them one after the other"
            )
        for one in range(seed, seed + count):
            name = f"{'voids' if voids else material}_{modality}_{one}"
            if list(out.glob(f"{name}*.tif")) and not overwrite:
                raise ValueError(f"{out / name}.tif exists; give another -o or say --overwrite")
            scene = Scene(
                material=material, shape=(rows, columns), pixel_size=pixel_size or Scene.pixel_size,
                pores=Scene.pores if pores is None else pores, max_missing=max_missing, dose=dose,
                modality=modality, contamination=contamination,
            )  # fmt: skip
            note = printable(f"seed {one}, {shlex.join(sys.argv[1:])}")
            if voids:
                drawings = iter([_draw_voids(scene, pixel_size, pores, one, name)])
            elif wild:
                drawings = iter([_draw_wild(scene, pores is not None, one, name)])
            elif tiles:
                drawings = _draw_tiles(scene, tiles, one, name, out)
            else:
                drawings = _draw_plain(scene, frames, one, name)
            for drawn in drawings:
                put(", ".join(save_simulation(out, drawn, note)))
    except (ValueError, OSError) as error:
        stop(error)


def _draw_wild(like: Scene, keep_pores: bool, seed: int, name: str) -> Simulation:
    """Draw a random scene as in training, with a random stream that nothing else uses."""
    from dataclasses import replace

    from porescope.simulation import draw, draw_scene, make_generator

    rng = make_generator("interactive", seed)
    cell_px = MATERIALS[like.material].constant / like.pixel_size
    scene = draw_scene(rng, like.shape, cell_px, material=like.material, modality=like.modality)
    if keep_pores:
        scene = replace(scene, pores=like.pores, max_missing=like.max_missing)
    return draw(scene, rng, name)


def _draw_voids(like: Scene, pixel_size: float | None, pores: int | None, seed: int, name: str) -> Simulation:
    """Draw a random membrane, with a random stream that nothing else uses."""
    from porescope.simulation import draw_membrane, make_generator, vary_membrane

    rng = make_generator("interactive", seed)
    return draw_membrane(vary_membrane(rng, like.shape, like.modality, pores, pixel_size), rng, name)


def _draw_plain(scene: Scene, frames: int, seed: int, name: str) -> Iterator[Simulation]:
    """Draw one image, or the frames of a movie."""
    from porescope.simulation import draw_movie, simulate

    if frames == 1:
        yield simulate(scene, seed=seed, name=name)
    else:
        yield from draw_movie(scene, frames, seed, name=name)


def _draw_tiles(scene: Scene, tiles: str, seed: int, name: str, out: Path) -> Iterator[Simulation]:
    """Draw the tiles of a sheet and write their stage positions."""
    import numpy as np

    from porescope.simulation import draw_tiles, save_stage

    try:
        down, across = (int(n) for n in tiles.lower().split("x"))
    except ValueError:
        raise ValueError(f"--tiles must be rows x columns, as 3x4, not {tiles!r}") from None
    if min(down, across) < 1:
        raise ValueError(f"--tiles must be 1x1 or more, not {tiles!r}")
    drawn = draw_tiles(scene, (down, across), np.random.default_rng(seed), name=name)
    yield from (tile.simulation for tile in drawn)
    put(save_stage(out, name, drawn))


@app.command()
def train(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="OUT",
            help="Folder for the network. A stopped training (unet) continues from the checkpoint in it.",
        ),
    ],
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Training time in minutes, over which the learning rate decays to 0. "
            "No default: give this or --steps.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of training steps (unet only), which makes a training repeatable. With --minutes "
            "too, training ends at whichever comes first.",
        ),
    ] = None,
    standards: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of labelled images to train on as well, each with its standard: A.dm3 with "
            "A_standard.png. By default only simulated images are used.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="shipped|FILE",
            help="Trained network to continue from (unet only): the shipped one or an ONNX file. "
            "By default training starts from random weights.",
        ),
    ] = None,
    model: Annotated[
        Architecture,
        typer.Option(help="Network to train: unet, or maskrcnn, the kind that the paper compared with."),
    ] = Architecture.unet,
    modality: Modality = "auto",
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed of initial weights, simulated images and batches.")
    ] = 0,
    threads: Annotated[
        int,
        typer.Option(
            min=1, help="CPU threads for training (unet only). One more process simulates the images."
        ),
    ] = 1,
) -> None:
    """Train a network on simulated images, and on your own labelled ones (extra: train)."""
    from importlib.util import find_spec

    extra = "maskrcnn" if model is Architecture.maskrcnn else "train"
    if find_spec("torchvision" if extra == "maskrcnn" else "torch") is None:
        from porescope.files import explain_missing

        stop(explain_missing("porescope train", "PyTorch", extra))
    if minutes is None and steps is None:
        stop("say how long to train: --minutes 120, or --steps 30000")
    if out.exists() and not out.is_dir():
        stop(f"{out} is a file; give a folder with -o")
    out.mkdir(parents=True, exist_ok=True)
    try:
        if model is Architecture.maskrcnn:
            _train_maskrcnn(out, minutes, standards, modality, seed)
        else:
            _train_unet(out, minutes, steps, standards, start, modality, seed, threads)
    except (ValueError, OSError) as error:
        stop(error)


def _train_unet(
    out: Path,
    minutes: float | None,
    steps: int | None,
    standards: Path | None,
    start: str | None,
    modality: str,
    seed: int,
    threads: int,
) -> None:
    import torch

    from porescope.network import SHIPPED, load_model
    from porescope.training import (
        Plan,
        Trainer,
        add_to_card,
        export_model,
        rate_network,
        read_samples,
        read_weights,
    )
    from porescope.training import train as learn

    torch.set_num_threads(threads)
    labelled = read_samples(standards, modality=modality) if standards else []
    plan = Plan(minutes=minutes, steps=steps, seed=seed, rate=3e-4 if start else Plan.rate)
    weights = None
    if start is not None:
        path = SHIPPED if start == "shipped" else Path(start)
        load_model(path)
        weights = read_weights(path)

    def tell(trainer: Trainer, loss: float, validation: dict[str, float]) -> None:
        left = trainer.seconds * (1 / max(trainer.progress, 1e-3) - 1) / 60
        by_mode = ", ".join(f"{mode} {value:.3f}" for mode, value in validation.items())
        say(
            f"{trainer.progress:4.0%}  step {trainer.step}, {trainer.seconds / 60:.1f} min, {left:.0f} left: "
            f"loss {loss:.3f}" + (f"; validation loss: {by_mode}" if by_mode else "")
        )

    trainer = learn(plan, out, labelled=labelled, start=weights, on_round=tell)
    path = out / "model.onnx"
    command = shlex.join(["porescope", *sys.argv[1:]])
    export_model(trainer, path, {"command": command, "own_images": len(labelled)})
    say("Calibrating its confidence on simulated images …")
    add_to_card(path, rate_network(path, seed))
    _say_how_to_use(path)


def _say_how_to_use(path: Path) -> None:
    put(str(path))
    put(f"use it: porescope detect images/ --model {shlex.quote(str(path))} -o out")


def _train_maskrcnn(
    out: Path, minutes: float | None, standards: Path | None, modality: str, seed: int
) -> None:
    from porescope.training import read_samples, train_maskrcnn

    if minutes is None:
        raise ValueError("the Mask R-CNN is trained for a time: --minutes 60")
    labelled = read_samples(standards, modality=modality) if standards else []
    path = train_maskrcnn(out, minutes=minutes, seed=seed, standards=labelled)
    _say_how_to_use(path)
