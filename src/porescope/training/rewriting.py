"""An exported U-Net rewritten so that it computes the same with fewer operations.

A 3 × 3 convolution of an image that was enlarged by repeating its pixels multiplies the same pixel several
times. With the weights of equal pixels added up, it is four 2 × 2 convolutions of the small image, one for
each place within a block of 2 × 2 pixels. The weights are stored as they were; onnxruntime adds them up when
it loads the file.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

#: Places within a block of 2 × 2 pixels, (row, column).
_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


def rewrite(graph: Any) -> None:
    """Rewrite the graph of a U-Net in place.

    Parameters
    ----------
    graph : onnx.GraphProto
        As `torch.onnx.export` writes a `UNet`; its inputs may be those of an outer graph.
    """
    source = {name: node for node in graph.node for name in node.output}
    shapes = {weight.name.removesuffix(".stored"): list(weight.dims) for weight in graph.initializer}
    parts = _Parts([], [])
    replaced = {}
    for conv in graph.node:
        joined = source.get(conv.input[0]) if conv.op_type == "Conv" else None
        if joined is None or joined.op_type != "Concat":
            continue
        enlarged = source[joined.input[0]]
        kept = len(parts.nodes)
        if enlarged.op_type == "Resize":
            coarse, skip = enlarged.input[0], joined.input[1]
            _enlarge(
                parts, conv, shapes[conv.input[1]], (coarse, skip), _count_channels(source, shapes, skip)
            )
        else:
            _begin(parts, conv, shapes[conv.input[1]])
        replaced[conv.output[0]] = parts.nodes[kept:]
    nodes = []
    for node in graph.node:
        nodes += replaced.get(node.output[0], [node])
    _keep_used(graph, nodes, parts.constants)


class _Parts(NamedTuple):
    """Nodes and constants of a graph that is being written."""

    nodes: list[Any]
    constants: list[Any]

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node; the name of its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def keep(self, name: str, values: Any) -> str:
        """Add a constant, unless there is one of this name; its name."""
        from onnx import numpy_helper

        if all(constant.name != name for constant in self.constants):
            self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name


def _count_channels(source: dict[str, Any], shapes: dict[str, list[int]], name: str) -> int:
    """Number of channels of a convolution's output, behind what does not change it."""
    node = source[name]
    return (
        shapes[node.input[1]][0] if node.op_type == "Conv" else _count_channels(source, shapes, node.input[0])
    )


def _cut(parts: _Parts, weight: str, name: str, start: int, stop: int) -> str:
    """Cut out the weights of some input channels."""
    ends = [parts.keep(f"rewritten.{n}", np.array([n])) for n in (start, stop, 1)]
    return parts.add("Slice", [weight, *ends], name)


def _enlarge(parts: _Parts, conv: Any, shape: list[int], inputs: tuple[str, str], fine: int) -> None:
    """Convolve a coarse image, which is to be enlarged, and a fine one; add both up."""
    weight, name = conv.input[1], conv.input[1].removesuffix("weight")
    coarse = shape[1] - fine
    small = _cut(parts, weight, f"{name}coarse", 0, coarse)
    flat = parts.add("Reshape", [small, parts.keep("rewritten.flat", np.array([-1, 9]))], f"{name}flat")
    size = parts.keep(f"rewritten.{shape[0]}x{coarse}", np.array([shape[0], coarse, 2, 2]))
    found = []
    for place in _PLACES:
        at = "{}{}".format(*place)
        summed = parts.add(
            "MatMul", [flat, parts.keep(f"rewritten.sum{at}", _add_up(*place))], f"{name}summed{at}"
        )
        kernel = parts.add("Reshape", [summed, size], f"{name}kernel{at}")
        pads = [1 - place[0], 1 - place[1], place[0], place[1]]
        found.append(
            parts.add("Conv", [inputs[0], kernel], f"{name}place{at}", kernel_shape=[2, 2], pads=pads)
        )
    large = _cut(parts, weight, f"{name}fine", coarse, shape[1])
    beside = parts.add(
        "Conv", [inputs[1], large, conv.input[2]], f"{name}beside", kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    )
    # Rows of both kinds side by side are rows in turn; columns in turn take a transposition.
    columns = [parts.add("Concat", [found[i], found[i + 2]], f"{name}rows{i}", axis=3) for i in (0, 1)]
    both = parts.add("Concat", columns, f"{name}columns", axis=0)
    turned = parts.add("Transpose", [both], f"{name}turned", perm=[1, 2, 3, 0])
    whole = parts.add("Reshape", [turned, parts.add("Shape", [beside], f"{name}shape")], f"{name}enlarged")
    parts.add("Add", [beside, whole], conv.output[0])


def _add_up(row: int, column: int) -> Any:
    """Which of 3 × 3 weights act on which of 2 × 2 coarse pixels, at a place of a block, shape (9, 4)."""
    where = [[(place + step + 1) // 2 - place for step in range(3)] for place in (row, column)]
    matrix = np.zeros((3, 3, 2, 2), np.float32)
    for i, down in enumerate(where[0]):
        for j, along in enumerate(where[1]):
            matrix[i, j, down, along] = 1
    return matrix.reshape(9, 4)


def _begin(parts: _Parts, conv: Any, shape: list[int]) -> None:
    """Convolve the image in steps of two, without making channels of its blocks first; and what is told."""
    weight, name = conv.input[1], conv.input[1].removesuffix("weight")
    told = shape[1] % 4
    views = shape[1] // 4
    seen = _cut(parts, weight, f"{name}seen", 0, 4 * views)
    blocks = parts.keep("rewritten.blocks", np.array([shape[0], views, 2, 2, 3, 3]))
    mixed = parts.add("Transpose", [parts.add("Reshape", [seen, blocks], f"{name}blocks")], f"{name}mixed",
                      perm=[0, 1, 4, 2, 5, 3])  # fmt: skip
    wide = parts.keep("rewritten.wide", np.array([shape[0], views, 6, 6]))
    kernel = parts.add("Reshape", [mixed, wide], f"{name}wide")
    image = parts.add(
        "Conv", ["image", kernel], f"{name}image", kernel_shape=[6, 6], pads=[2] * 4, strides=[2, 2]
    )
    axes = parts.keep("rewritten.axes", np.array([2, 3]))
    about = parts.add("Unsqueeze", ["about", axes], f"{name}about")
    size = parts.add("Shape", [image], f"{name}size", start=2)
    ones = parts.keep("rewritten.ones", np.array([1, 1]))
    planes = parts.add(
        "Expand", [about, parts.add("Concat", [ones, size], f"{name}sizes", axis=0)], f"{name}planes"
    )
    rest = _cut(parts, weight, f"{name}told", 4 * views, 4 * views + told)
    plain = parts.add(
        "Conv", [planes, rest, conv.input[2]], f"{name}plain", kernel_shape=[3, 3], pads=[1] * 4
    )
    parts.add("Add", [image, plain], conv.output[0])


def _keep_used(graph: Any, nodes: list[Any], constants: list[Any]) -> None:
    """Write nodes and constants into a graph, without those that do not serve its outputs."""
    needed, kept = {output.name for output in graph.output}, list[Any]()
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.insert(0, node)
    stored = [w for w in [*graph.initializer, *constants] if w.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(stored)
