# SPDX-License-Identifier: BSD-3-Clause
"""Mutants of Python: one comparison, operator, constant or condition of a file is changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutation.rtl import Mutant

COMPARED = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
COMPUTED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "*", ast.Mod: "*"}


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """All mutants of a file, in the order of their places; texts and annotations stay."""
    offsets = [0]
    for row in text.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(row.encode()))
    raw = text.encode()

    def place(line: int, column: int) -> int:
        return offsets[line - 1] + column

    def changed(node: ast.expr | ast.stmt, begin: int, end: int, new: str) -> Mutant:
        old = raw[begin:end].decode()
        new += "\n" * old.count("\n")  # what follows keeps its line
        mutated = (raw[:begin] + new.encode() + raw[end:]).decode()
        around = [(first, last) for first, last in ranges if first <= node.lineno <= last]
        first, last = min(around or [(1, offsets[-1])], key=lambda lines: lines[1] - lines[0])
        scope = "\n".join(mutated.splitlines()[first - 1 : last])
        change = f"{node.col_offset}: {old.strip()!r} to {new.strip()!r}"
        return Mutant(file, node.lineno, change, mutated, scope)

    def between(left: ast.expr, right: ast.expr) -> tuple[int, int]:
        """The place of an operator: between its operands, without brackets."""
        begin = place(left.end_lineno or 0, left.end_col_offset or 0)
        end = place(right.lineno, right.col_offset)
        while raw[begin : begin + 1] in (b")", b" ", b"\n"):
            begin += 1
        while raw[end - 1 : end] in (b"(", b" ", b"\n"):
            end -= 1
        return begin, end

    skipped = set()
    tree = ast.parse(text)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    ranges = [(n.lineno, n.end_lineno or 0) for n in (*functions, *tree.body)]
    for node in ast.walk(tree):
        notes = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Raise) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            notes.append(node)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "reshape":
            notes += node.args  # NumPy takes any negative number for "as many as there are"
        for note in notes:
            skipped |= {id(inner) for inner in ast.walk(note)} if note is not None else set()
    nodes = [node for node in ast.walk(tree) if id(node) not in skipped]
    for node in sorted((n for n in nodes if isinstance(n, ast.expr)),
                       key=lambda n: (n.lineno, n.col_offset)):  # fmt: skip
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
            begin, end = between(node.left, node.comparators[0])
            yield changed(node, begin, end, COMPARED[type(node.ops[0])])
        elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
            begin, end = between(node.left, node.right)
            yield changed(node, begin, end, COMPUTED[type(node.op)])
        elif isinstance(node, ast.BoolOp):
            begin, end = between(node.values[0], node.values[1])
            yield changed(node, begin, end, "or" if isinstance(node.op, ast.And) else "and")
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            begin, end = (
                place(node.lineno, node.col_offset),
                place(node.lineno, node.end_col_offset or 0),
            )
            yield changed(node, begin, end, str(node.value + 1))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            begin = place(node.lineno, node.col_offset)
            yield changed(node, begin, begin + 4, "")
        elif isinstance(node, ast.IfExp):
            begin = place(node.test.lineno, node.test.col_offset)
            end = place(node.test.end_lineno or 0, node.test.end_col_offset or 0)
            yield changed(node, begin, end, f"not ({raw[begin:end].decode()})")
