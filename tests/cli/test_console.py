from __future__ import annotations

import pytest
import typer
from helpers import run

from porescope.cli.console import read_length, read_material


@pytest.mark.parametrize(
    "text",
    [
        "0.04",
        "0,04",
        ".04",
        "4e-2",
        "0.04nm",
        "0.04 nm",
        "0,04 nm",
        "40pm",
        "40 pm",
        "0.4 Å",
        "0.4A",
        "4e-5µm",
    ],
)
def test_a_pixel_size_is_read_as_people_write_it(text: str) -> None:
    assert read_length(text) == pytest.approx(0.04)


@pytest.mark.parametrize(
    "text", ["", "0", "-0.04", "nm", "0.04x", "0.04 s", "1,000.5", "inf", "nan", "0.04 nm nm"]
)
def test_what_is_no_length_gets_a_sentence(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="must be a length above 0 nm"):
        read_length(text)


def test_materials_in_any_case() -> None:
    assert [read_material(text) for text in ("ws2", "MOSE2", "Graphene", "HBN")] == [
        "WS2", "MoSe2", "graphene", "hBN",
    ]  # fmt: skip
    with pytest.raises(typer.BadParameter, match="must be one of WS2"):
        read_material("gold")


def test_short_help_works_for_every_command() -> None:
    for command in ([], ["detect"], ["tune"], ["recipes", "show"]):
        result = run(*command, "-h")
        assert result.exit_code == 0 and "Usage" in result.output
