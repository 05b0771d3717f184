"""Derive mutants of a module from its syntax tree: one condition switched off, one entry or one statement left out.

    entry      an entry of RULES or AUTHORITY is left out
    yield      a `yield` gives nothing: a finding, a need, a binding
    call       a call that stands alone, such as a check that raises, is left out
    condition  a test never holds, always holds; so does a comparison that stands alone
    operand    one operand of `and` or `or` is left out
    boundary   `<` becomes `<=`, and the other way round
    case       a case of `match`, or one of its alternatives, never matches
    extreme    `min` becomes `max`, `any` becomes `all`, and the other way round

What is only said decides nothing, and golden files hold it: words of messages get no mutants.
"""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "medperf_git"
TABLES = ("RULES", "GIT_RULES", "AUTHORITY")
# Calls and variables that make words.
SAID_BY = {"Finding", "IntegrityBroken", "ValueError", "TypeError", "broken", "_refuse", "_form"}
SAID = {"message", "fix", "want", "got", "seen", "pointer", "who", "side"}


@dataclass(frozen=True)
class Mutant:
    """One place in the text of a module, by bytes, and what stands there instead."""

    path: Path
    data: bytes
    kind: str
    function: str
    start: int
    end: int
    new: str
    label: str
    lines: range

    def text(self) -> bytes:
        """Return the whole changed module."""
        return self.data[: self.start] + self.new.encode() + self.data[self.end :]

    @property
    def name(self) -> str:
        """How `EQUAL` names it: without numbers of lines, which move."""
        return f"{self.path.relative_to(PACKAGE)} {self.function}: {self.label}"

    @property
    def place(self) -> str:
        """File and line."""
        line = self.data.count(b"\n", 0, self.start) + 1
        return f"{self.path.relative_to(ROOT)}:{line}"

    def diff(self) -> str:
        """Return the changed lines."""
        old, new = self.data.decode(), self.text().decode()
        lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0))[3:]
        return "\n".join(f"    {line}" for line in lines)


def _is_said(node: ast.AST) -> bool:
    """Tell whether a part of the source only makes words."""
    if isinstance(node, ast.Assign):
        targets = [name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        return all(name.id in SAID for name in targets)
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return isinstance(node, ast.JoinedStr) or name in SAID_BY


def _is_all_of_an_if(node: ast.Expr, above: ast.AST) -> bool:
    """Tell whether leaving a statement out does what never entering the `if` above it does."""
    if not isinstance(above, ast.If) or above.orelse or above.body[-1] is not node:
        return False
    return all(isinstance(one, ast.Assign) for one in above.body[:-1])


class Maker(ast.NodeVisitor):
    """Guards the walk through one module: where it is, and what it has found."""

    def __init__(self, path: Path) -> None:
        self.path, self.data = path, path.read_bytes()
        self.found: dict[tuple[int, int, str], Mutant] = {}
        self.function, self.statement = "(module)", 1
        self.around: list[ast.AST] = []
        self.starts = [0]
        for line in self.data.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def mutants(self) -> list[Mutant]:
        """Return every mutant of the module, in the order of the text."""
        self.visit(ast.parse(self.data))
        return sorted(self.found.values(), key=lambda one: (one.start, one.end, one.new))

    def add(self, node: Any, kind: str, new: str, *, without: ast.AST | None = None) -> None:
        """Note that `new` may stand in the place of `node`; the name says what it does `without`, or old and new."""
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        lines = range(min(self.statement, node.lineno), node.end_lineno + 1)
        label = f"without {ast.unparse(without)}" if without else f"{ast.unparse(node)} -> {new}"
        mutant = Mutant(self.path, self.data, kind, self.function, start, end, new, label, lines)
        self.found.setdefault((start, end, new), mutant)

    def visit(self, node: ast.AST) -> None:
        """Walk on, knowing what is around."""
        kept = self.function, self.statement
        if isinstance(node, ast.FunctionDef):
            self.function = node.name
        if isinstance(node, ast.stmt):
            self.statement = node.lineno
        self.around.append(node)
        if not _is_said(node):
            super().visit(node)
        self.around.pop()
        self.function, self.statement = kept

    def visit_Assign(self, node: ast.Assign) -> None:
        self.table(node.targets[0], node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.table(node.target, node.value)
            self.visit(node.value)  # and not the annotation

    def table(self, target: ast.expr, value: ast.expr) -> None:
        """Leave out each entry of a table of rules."""
        if isinstance(target, ast.Name) and target.id in TABLES and isinstance(value, ast.Tuple):
            for entry in value.elts:
                if isinstance(entry, ast.Call):
                    self.add(entry, "entry", "*()", without=entry.args[0])

    def visit_If(self, node: ast.If) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.condition(test)
        self.generic_visit(node)

    def visit_match_case(self, node: ast.match_case) -> None:
        if node.guard is not None:
            self.condition(node.guard)
        elif not (isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None):
            self.add(node.pattern, "case", "_ if False")
        self.generic_visit(node)

    def visit_MatchOr(self, node: ast.MatchOr) -> None:
        for pattern in node.patterns:
            rest = ast.MatchOr([one for one in node.patterns if one is not pattern])
            self.add(node, "case", f"({ast.unparse(rest)})", without=pattern)

    def condition(self, test: ast.expr) -> None:
        """Let a test always fail, and always hold."""
        for word, joined in (("False", "and False"), ("True", "or True")):
            named = any(isinstance(one, ast.NamedExpr) for one in ast.walk(test))
            self.add(test, "condition", f"(({ast.unparse(test)}) {joined})" if named else word)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for operand in node.values:
            rest = [one for one in node.values if one is not operand]
            left = ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0]
            self.add(node, "operand", f"({ast.unparse(left)})", without=operand)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        edges: dict[type[ast.cmpop], type[ast.cmpop]] = {
            ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
        }  # fmt: skip
        for number, operator in enumerate(node.ops):
            if other := edges.get(type(operator)):
                ops = [*node.ops[:number], other(), *node.ops[number + 1 :]]
                self.add(node, "boundary", f"({ast.unparse(ast.Compare(node.left, ops, node.comparators))})")
        if not isinstance(self.around[-2], ast.BoolOp):  # there an operand is dropped
            self.condition(node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        swapped = {"min": "max", "max": "min", "any": "all", "all": "any"}
        if isinstance(node.func, ast.Name) and node.func.id in swapped:
            self.add(node.func, "extreme", swapped[node.func.id])
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Yield | ast.YieldFrom) and not _is_all_of_an_if(node, self.around[-2]):
            self.add(node, "yield", "yield from ()", without=node)
        elif isinstance(node.value, ast.Call):
            self.add(node, "call", "None", without=node)
        self.generic_visit(node)
