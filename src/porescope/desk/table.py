"""The table of the pores beside the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from porescope.desk.columns import HEADS, describe_cell

if TYPE_CHECKING:
    import pandas as pd


class _PoreModel(QAbstractTableModel):
    """The rows of ``pores.csv`` of one image, as Qt's views take them."""

    def __init__(self) -> None:
        super().__init__()
        self.table: pd.DataFrame | None = None

    def show_table(self, table: pd.DataFrame | None) -> None:
        """Show another table.

        Parameters
        ----------
        table : DataFrame or None
            With the columns of ``pores.csv``.
        """
        self.beginResetModel()
        self.table = None if table is None else table.reset_index(drop=True)
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:  # noqa: D102, N802 - the name is Qt's
        inside = parent is not None and parent.isValid()
        return 0 if inside or self.table is None else len(self.table)

    def columnCount(self, parent: Any = None) -> int:  # noqa: D102, N802
        return 0 if parent is not None and parent.isValid() else len(HEADS)

    def data(self, index: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: D102
        if self.table is None or not index.isValid():
            return None
        column = list(HEADS)[index.column()]
        value = self.table[column].iloc[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return describe_cell(column, value)
        if role == Qt.ItemDataRole.UserRole:  # what is sorted by; what is not known comes last
            return float("inf") if value != value else float(value)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: D102, N802
        if orientation != Qt.Orientation.Horizontal:
            return None
        head, tip = list(HEADS.values())[section]
        return {Qt.ItemDataRole.DisplayRole: head, Qt.ItemDataRole.ToolTipRole: tip}.get(role)


class PoreTable(QTableView):
    """The table of the pores of one image; several rows may be chosen."""

    #: The user chose rows: their labels.
    chosen = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.pores = _PoreModel()
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.pores)
        self._sorted.setSortRole(Qt.ItemDataRole.UserRole)
        self.setModel(self._sorted)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.selectionModel().selectionChanged.connect(self._tell)
        self._silent = False

    def show_table(self, table: pd.DataFrame | None) -> None:
        """Show another table; rows of pores that stay remain chosen.

        Parameters
        ----------
        table : DataFrame or None
        """
        labels = self.list_chosen()
        self._silent = True
        self.pores.show_table(table)
        self.choose(labels)

    def list_chosen(self) -> list[int]:
        """List the labels of the chosen rows.

        Returns
        -------
        list of int
        """
        if self.pores.table is None:
            return []
        rows = [self._sorted.mapToSource(index).row() for index in self.selectionModel().selectedRows()]
        return [int(self.pores.table.label.iloc[row]) for row in rows]

    def choose(self, labels: list[int]) -> None:
        """Choose the rows of some pores, without a signal.

        Parameters
        ----------
        labels : list of int
        """
        self._silent = True
        self.clearSelection()
        if self.pores.table is not None:
            rows = np.flatnonzero(self.pores.table.label.isin(labels))
            flag = QItemSelectionModel.SelectionFlag
            for row in rows.tolist():
                index = self._sorted.mapFromSource(self.pores.index(row, 0, QModelIndex()))
                self.selectionModel().select(index, flag.Select | flag.Rows)
                self.scrollTo(index)
        self._silent = False

    def _tell(self, *_: object) -> None:
        if not self._silent:
            self.chosen.emit(self.list_chosen())
