"""The commands around the network: simulate, train."""

from __future__ import annotations

import enum
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from porescope.cli.console import Modality, say, stop

if TYPE_CHECKING:
    from porescope.simulation.drawing import Simulation

app = typer.Typer()


class Architecture(enum.StrEnum):
    """Kinds of network that can be trained."""

    unet = "unet"
    maskrcnn = "maskrcnn"


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the images.")],
    material: Annotated[str, typer.Option(help="WS2, MoS2, WSe2, MoSe2, graphene or hBN.")] = "WS2",
    pores: Annotated[int, typer.Option(min=0, help="Pores in an image (of tiles: in the sheet).")] = 5,
    max_missing: Annotated[int, typer.Option(min=1, help="Most atoms that a pore lacks.")] = 20,
    dose: Annotated[float, typer.Option(help="Electrons per nm².")] = 5e5,
    modality: Annotated[str, typer.Option(help="haadf, bf, abf or hrtem.")] = "haadf",
    pixel_size: Annotated[float, typer.Option(metavar="NM", help="Pixel size.")] = 0.04,
    rows: Annotated[int, typer.Option(min=1)] = 512,
    columns: Annotated[int, typer.Option(min=1)] = 512,
    contamination: Annotated[
        float | None, typer.Option(min=0, metavar="NM", help="Mean thickness of carbon on the sheet.")
    ] = None,
    wild: Annotated[
        bool, typer.Option("--wild", help="All but material, modality and size by chance, as for training.")
    ] = False,
    frames: Annotated[int, typer.Option(min=1, help="Frames of a movie: pores grow, the sheet drifts.")] = 1,
    tiles: Annotated[
        str | None, typer.Option(metavar="RxC", help="A sheet in overlapping images, by stage position.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of images, seeds counted on.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier images.")] = False,
) -> None:
    """Draw micrographs with known pores: image, truth (labels and table), atoms."""
    from porescope.simulation.saving import save_simulation

    try:
        if tiles and frames > 1:
            raise ValueError("--tiles and --frames do not go together; draw them one after the other")
        for one in range(seed, seed + count):
            name = f"{material}_{modality}_{one}"
            if list(out.glob(f"{name}*.tif")) and not overwrite:
                raise ValueError(f"{out / name}.tif exists; give another -o or say --overwrite")
            scene_of = {
                "material": material, "shape": (rows, columns), "pixel_size": pixel_size, "pores": pores,
                "max_missing": max_missing, "dose": dose, "modality": modality,
                "contamination": contamination,
            }  # fmt: skip
            note = f"seed {one}, {shlex.join(sys.argv[1:])}"
            if wild:
                drawings = iter([_draw_wild(scene_of, one, name)])
            elif tiles:
                drawings = _draw_tiles(scene_of, tiles, one, name, out)
            else:
                drawings = _draw_plain(scene_of, frames, one, name)
            for drawn in drawings:
                typer.echo(", ".join(save_simulation(out, drawn, note)))
    except (ValueError, OSError) as error:
        stop(str(error))


def _draw_wild(scene_of: dict[str, Any], seed: int, name: str) -> Simulation:
    """Draw what training draws, with seeds that neither it nor the benchmark uses."""
    from porescope.materials import MATERIALS
    from porescope.simulation.drawing import draw
    from porescope.simulation.random_scenes import draw_scene, make_generator
    from porescope.simulation.scene import check_scene

    check_scene(scene_of["material"], scene_of["modality"])
    rng = make_generator("pleasure", seed)
    cell = MATERIALS[scene_of["material"]].constant / scene_of["pixel_size"]
    scene = draw_scene(
        rng, scene_of["shape"], cell, material=scene_of["material"], modality=scene_of["modality"]
    )
    return draw(scene, rng, name)


def _draw_plain(scene_of: dict[str, Any], frames: int, seed: int, name: str) -> Iterator[Simulation]:
    """Draw one image, or the frames of a movie."""
    import numpy as np

    from porescope.simulation.drawing import draw
    from porescope.simulation.scene import make_scene
    from porescope.simulation.series import draw_movie

    rng = np.random.default_rng(seed)
    scene = make_scene(rng, **scene_of)
    if frames == 1:
        yield draw(scene, rng, name)
    else:
        yield from draw_movie(scene, frames, seed, name=name)


def _draw_tiles(
    scene_of: dict[str, Any], tiles: str, seed: int, name: str, out: Path
) -> Iterator[Simulation]:
    """Draw the tiles of a sheet and write where the stage was for each."""
    from dataclasses import replace

    import numpy as np

    from porescope.simulation.saving import save_stage
    from porescope.simulation.scene import make_scene
    from porescope.simulation.series import draw_tiles

    try:
        down, across = (int(n) for n in tiles.lower().split("x"))
    except ValueError:
        raise ValueError(f"--tiles must be rows x columns, as 3x4, not {tiles!r}") from None
    if min(down, across) < 1:
        raise ValueError(f"--tiles must be 1x1 or more, not {tiles!r}")
    rng = np.random.default_rng(seed)
    rows, columns = scene_of["shape"]
    whole = make_scene(rng, **{**scene_of, "shape": (rows * down, columns * across)})
    drawn = draw_tiles(replace(whole, shape=(rows, columns)), (down, across), rng, name=name)
    yield from (tile.simulation for tile in drawn)
    typer.echo(save_stage(out, name, drawn))


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
    modality: Annotated[
        Modality, typer.Option(help="Modality of the labelled images; auto takes it from the files.")
    ] = Modality.auto,
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
        stop(f"porescope train needs PyTorch: pip install 'porescope[{extra}]'")
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
        stop(str(error))


def _train_unet(
    out: Path,
    minutes: float | None,
    steps: int | None,
    standards: Path | None,
    start: str | None,
    modality: Modality,
    seed: int,
    threads: int,
) -> None:
    import torch

    from porescope.network.model import SHIPPED, load_model
    from porescope.training.onnx_file import add_to_card, export_model, read_weights
    from porescope.training.rating import rate_network
    from porescope.training.samples import read_samples
    from porescope.training.trainer import Plan, Trainer
    from porescope.training.trainer import train as learn

    torch.set_num_threads(threads)
    labelled = read_samples(standards, modality=modality.value) if standards else []
    plan = Plan(minutes=minutes, steps=steps, seed=seed, rate=3e-4 if start else Plan.rate)
    weights = None
    if start is not None:
        path = SHIPPED if start == "shipped" else Path(start)
        load_model(path)
        weights = read_weights(path)

    def tell(trainer: Trainer, loss: float, validation: dict[str, float]) -> None:
        by_mode = ", ".join(f"{mode} {value:.3f}" for mode, value in validation.items())
        say(
            f"{trainer.progress:4.0%}  step {trainer.step}, {trainer.seconds / 60:.1f} min: "
            f"loss {loss:.3f}" + (f"; validation loss: {by_mode}" if by_mode else "")
        )

    trainer = learn(plan, out, labelled=labelled, start=weights, on_round=tell)
    path = out / "model.onnx"
    command = shlex.join(["porescope", *sys.argv[1:]])
    export_model(trainer, path, {"command": command, "own_images": len(labelled)})
    say("Calibrating its confidence on simulated images …")
    add_to_card(path, rate_network(path, seed))
    typer.echo(f"{path}\nuse it: porescope detect images/ --model {path} -o out")


def _train_maskrcnn(
    out: Path, minutes: float | None, standards: Path | None, modality: Modality, seed: int
) -> None:
    from porescope.training.maskrcnn import train_maskrcnn
    from porescope.training.samples import read_samples

    if minutes is None:
        raise ValueError("the Mask R-CNN is trained for a time: --minutes 60")
    labelled = read_samples(standards, modality=modality.value) if standards else []
    path = train_maskrcnn(out, minutes=minutes, seed=seed, standards=labelled)
    typer.echo(f"{path}\nuse it: porescope detect images/ --model {path} -o out")
