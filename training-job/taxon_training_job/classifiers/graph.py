"""An ONNX graph under construction: nodes and constants, in the order they are added."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper


class Graph:
    """Nodes and constants in the order they are added; names are numbered."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.rows_at_once: int | None = None

    @property
    def size(self) -> int:
        """Return the bytes of its nodes and constants."""
        nodes: int = sum(node.ByteSize() for node in self.nodes)
        constants: int = sum(constant.ByteSize() for constant in self.constants)
        return nodes + constants

    def take_rows(self, count: int) -> None:
        """Record how many rows to pass to the graph at a time, at least one."""
        self.rows_at_once = max(1, count)

    def constant(self, value: NDArray[Any]) -> str:
        """Add a constant tensor; return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its one output."""
        name = output or f"n{len(self.nodes)}"
        domain = "ai.onnx.ml" if operator == "TreeEnsemble" else ""
        self.nodes.append(
            helper.make_node(operator, list(inputs), [name], domain=domain, **attributes)
        )
        return name
