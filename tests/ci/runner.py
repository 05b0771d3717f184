"""Run the shell steps of a workflow as its forge would, one bash for each, in a folder of its own.

Expressions are evaluated from a context like the forge's; steps that `use` an action are noted and not run. The step
that installs the validator is replaced by a program that starts this checkout; `test_install.py` runs the real one.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

INSTALL = "Install the validator that main pins"
_COMPARED = re.compile(r"([\w.]+) (==|!=) '([^']*)'")
_TERM = re.compile(r"\s*(?:'([^']*)'|format\('([^']*)',\s*([\w.]+)\)|([\w.]+))\s*")


@dataclass
class Ran:
    """What became of a job: each step's name with its exit code, all that was said, and what it hands on."""

    folder: Path
    steps: list[tuple[str, int]] = field(default_factory=list)
    said: str = ""
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code of the last step that ran."""
        return self.steps[-1][1]


def load(data: bytes | str) -> dict[str, Any]:
    """Read a workflow; YAML 1.1 takes the key `on` for true."""
    workflow: dict[str, Any] = yaml.safe_load(data)
    return {**workflow, "on": workflow.pop(True)} if True in workflow else workflow


def evaluate(text: str, context: Mapping[str, Any]) -> str:
    """Replace every `${{ … }}` of a text."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(_value(match.group(1), context) or ""), text)


def run_job(
    job: Mapping[str, Any], folder: Path, *, context: Mapping[str, Any], environ: Mapping[str, str], real: bool = False
) -> Ran:
    """Run the steps of a job in order until one fails."""
    folder.mkdir(parents=True)
    ran = Ran(folder)
    said: dict[str, dict[str, dict[str, str]]] = {}
    context = {**context, "steps": said}
    for step in job["steps"]:
        name = step.get("name", step.get("uses", ""))
        if not holds(step.get("if", ""), context):
            continue
        if "uses" in step:
            ran.steps.append((name, 0))
            continue
        script = step["run"]
        if name == INSTALL and not real:
            script = "\n".join(line for line in script.splitlines() if not line.startswith(("python3", "validator/")))
            place_validator(folder)
        own = {key: evaluate(str(value), context) for key, value in step.get("env", {}).items()}
        output = folder / f"output-{len(ran.steps)}"
        output.touch()
        options = ["--noprofile", "--norc", "-e", "-o", "pipefail"] if step.get("shell") == "bash" else ["-e"]
        done = subprocess.run(
            ["bash", *options, "-c", script],
            cwd=folder,
            env={**environ, **own, "GITHUB_OUTPUT": str(output)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        ran.steps.append((name, done.returncode))
        ran.said += done.stdout
        if done.returncode != 0:
            return ran
        lines = output.read_text(encoding="utf-8").splitlines()
        said[step.get("id", "")] = {"outputs": dict(line.split("=", 1) for line in lines)}
    ran.outputs = {key: evaluate(value, context) for key, value in job.get("outputs", {}).items()}
    return ran


def holds(condition: str, context: Mapping[str, Any]) -> bool:
    """Tell whether a job or step is to run: comparisons of a value with a text, joined by `&&`."""
    for part in condition.split("&&") if condition else ():
        match = _COMPARED.fullmatch(part.strip())
        assert match, f"this runner does not know {part!r}"
        same = str(_look(match.group(1), context) or "") == match.group(3)
        if same != (match.group(2) == "=="):
            return False
    return True


def place_validator(folder: Path) -> None:
    """Put a program at the place of the validator that starts this checkout."""
    program = folder / "validator" / "bin" / "medperf-git"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m medperf_git "$@"\n', encoding="utf-8")
    program.chmod(0o755)


def forge_environ(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a hosted runner: nothing of this machine but its programs."""
    kept = {
        name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE", "COVERAGE_PROCESS_START") if name in os.environ
    }
    fixed = {"CI": "true", "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "LANG": "C.UTF-8"}
    return {**kept, **fixed, **more}


def _value(expression: str, context: Mapping[str, Any]) -> Any:
    value: Any = None
    for term in expression.split("||"):
        match = _TERM.fullmatch(term)
        assert match, f"this runner does not know {term!r}"
        literal, form, argument, name = match.groups()
        if form:
            value = form.replace("{0}", str(_look(argument, context)))
        else:
            value = literal if literal is not None else _look(name, context)
        if value:
            return value
    return value


def _look(name: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
