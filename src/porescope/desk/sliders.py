"""Sliders for the numbers of a recipe, made from its fields."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget
from superqt import QLabeledDoubleSlider

from porescope.desk.columns import choose_digits, choose_range
from porescope.recipes import Recipe, parameters


class RecipeSliders(QWidget):
    """A slider for each number of a recipe, and a choice of how it is scaled."""

    #: The recipe has changed: the new one.
    moved = Signal(object)

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._quiet = True
        self.sliders: dict[str, Any] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for row, parameter in enumerate(parameters()):
            name, about = QLabel(parameter.name), parameter.metadata
            slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
            slider.setDecimals(choose_digits(parameter))
            unit = QLabel("" if about["unit"] == "1" else about["unit"])
            for widget in (name, slider, unit):
                widget.setToolTip(about["doc"])
            for column, widget in enumerate((name, slider, unit)):
                grid.addWidget(widget, row, column)
            slider.valueChanged.connect(self._tell)
            self.sliders[parameter.name] = slider
        self.scaling = QComboBox()
        self.scaling.addItems(["physical", "published"])
        self.scaling.currentTextChanged.connect(self._tell)
        grid.addWidget(QLabel("scaling"), len(self.sliders), 0)
        grid.addWidget(self.scaling, len(self.sliders), 1)
        grid.setColumnStretch(1, 1)
        self._origin = recipe
        self._quiet = False
        self.show_recipe(recipe)

    @property
    def recipe(self) -> Recipe:
        """The recipe that the sliders show."""
        values = {name: slider.value() for name, slider in self.sliders.items()}
        recipe = Recipe(**values, scaling=self.scaling.currentText())
        # Where nothing was moved, its name and where it comes from hold still.
        return self._origin if recipe == self._origin else recipe

    def show_recipe(self, recipe: Recipe) -> None:
        """Set all sliders.

        Parameters
        ----------
        recipe : Recipe
        """
        self._quiet, self._origin = True, recipe
        for parameter in parameters():
            value = getattr(recipe, parameter.name)
            slider = self.sliders[parameter.name]
            slider.setRange(*choose_range(parameter, value))
            slider.setValue(value)
        self.scaling.setCurrentText(recipe.scaling)
        self._quiet = False
        self._tell()

    def _tell(self, *_: object) -> None:
        if not self._quiet:
            self.moved.emit(self.recipe)
