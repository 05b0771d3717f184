"""The images run as a hospital runs them: any user, no network, nothing writable but the outputs and /tmp."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from .conftest import EXAMPLE, HOSPITALS, load_program

pytestmark = pytest.mark.engine

SANDBOX = (
    *("--rm", "--network", "none", "--read-only", "--user", "65534:65534", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "256", "--memory", "1g"),
    *("--tmpfs", "/tmp:rw,mode=1777", "--env", "HOME=/tmp"),
)
LIMIT = 60


@pytest.fixture(scope="module", autouse=True)
def images() -> None:
    """Build the images; where they are there already, this asks the engine's cache."""
    done = subprocess.run([EXAMPLE / "build.sh"], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


def run_task(config: Path, task: str, mounts: dict[str, Path]) -> subprocess.CompletedProcess[str]:
    """Run one task of a container_config.yaml under `docker run`."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    described = content["tasks"][task]
    binds: list[str] = []
    for side, mode in (("input_volumes", "ro"), ("output_volumes", "rw")):
        for key, volume in described.get(side, {}).items():
            binds += ["--volume", f"{mounts[key]}:{volume['mount_path']}:{mode}"]
    command: Sequence[str] = shlex.split(described.get("run_args", {}).get("command", ""))
    arguments = ["docker", "run", *SANDBOX, *binds, content["image"], *command]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=LIMIT)


def writable(path: Path) -> Path:
    """Make an output folder that the user in the sandbox may write to, whoever runs this test."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)
    return path


def readable(path: Path) -> Path:
    """Let the user in the sandbox read below a folder that pytest keeps to itself."""
    for entry in (path, *path.rglob("*")):
        entry.chmod(0o755 if entry.is_dir() else 0o644)
    for parent in path.parents:
        if "pytest" in parent.name:
            parent.chmod(0o755)
    return path


def empty_file(path: Path) -> Path:
    path.touch()
    path.chmod(0o666)
    return path


def test_the_whole_chain_runs_in_the_sandbox(raw: Path, tmp_path: Path):
    readable(tmp_path)
    source = readable(raw / "hospital-south")
    data, labels, metadata = (writable(tmp_path / name) for name in ("data", "labels", "metadata"))
    inputs = {"data_path": source, "labels_path": source}
    outputs = {"output_path": data, "output_labels_path": labels, "metadata_path": metadata}
    config = EXAMPLE / "preparator" / "container_config.yaml"
    done = run_task(config, "prepare", inputs | outputs)
    assert done.returncode == 0, done.stderr

    inputs = {"data_path": data, "labels_path": labels, "metadata_path": metadata}
    statistics = empty_file(tmp_path / "statistics.yaml")
    assert run_task(config, "sanity_check", inputs).returncode == 0
    assert run_task(config, "statistics", inputs | {"output_path": statistics}).returncode == 0
    assert yaml.safe_load(statistics.read_text(encoding="utf-8"))["num_cases"] == 200

    for model in ("logreg", "forest", "knn"):
        predictions, results = writable(tmp_path / model), empty_file(tmp_path / f"{model}.yaml")
        config = EXAMPLE / "models" / model / "container_config.yaml"
        done = run_task(config, "infer", {"data_path": data, "output_path": predictions})
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        mounts = {"predictions": predictions, "labels": labels, "output_path": results}
        parameters = tmp_path / "parameters.yaml"
        shutil.copy(EXAMPLE / "metrics" / "parameters.yaml", parameters)
        config = EXAMPLE / "metrics" / "container_config.yaml"
        done = run_task(config, "evaluate", mounts | {"parameters_file": parameters})
        assert done.returncode == 0, done.stderr
        assert 0.8 < yaml.safe_load(results.read_text(encoding="utf-8"))["auroc"] < 1

    config = EXAMPLE / "models" / "concavity-baseline" / "container_config.yaml"
    done = run_task(config, "infer", {"data_path": data, "output_path": writable(tmp_path / "baseline")})
    assert done.returncode == 1
    assert "ValueError: math domain error" in done.stderr


@pytest.mark.parametrize("hospital", HOSPITALS[:2])
def test_the_baseline_works_where_every_nucleus_has_concavity(prepared: Path, tmp_path: Path, hospital: str):
    readable(tmp_path)
    data, out = readable(prepared / hospital / "data"), writable(tmp_path / "out")
    config = EXAMPLE / "models" / "concavity-baseline" / "container_config.yaml"
    done = run_task(config, "infer", {"data_path": data, "output_path": out})
    assert done.returncode == 0, done.stderr
    assert len((out / "predictions.csv").read_text(encoding="utf-8").splitlines()) > 60


def test_images_have_the_three_styles_of_entry_point():
    names = ("logreg", "forest", "knn")
    seen = []
    for name in names:
        form = ["docker", "image", "inspect", "--format", "{{json .Config.Entrypoint}}", f"medperf-git-demo/{name}:1"]
        seen.append(subprocess.run(form, capture_output=True, text=True, check=True).stdout.strip())
    assert seen == ['["python3","/app/infer.py"]', '["python3"]', "null"]


@pytest.mark.parametrize("mode", ["network", "write-data", "symlink", "fifo", "hard-link"])
def test_a_hostile_model_does_what_its_name_says(prepared: Path, tmp_path: Path, mode: str):
    readable(tmp_path)
    data, out = readable(prepared / "hospital-north" / "data"), writable(tmp_path / "out")
    before = (data / "cases.csv").read_bytes()
    config = EXAMPLE / "hostile" / mode / "container_config.yaml"
    done = run_task(config, "infer", {"data_path": data, "output_path": out})
    result = out / "predictions.csv"
    assert (data / "cases.csv").read_bytes() == before
    if mode == "network":
        assert "Network is unreachable" in done.stderr
    elif mode == "write-data":
        assert done.returncode == 1
        assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr
    elif mode == "symlink":
        assert result.is_symlink()
    elif mode == "fifo":
        assert result.is_fifo()
    else:
        assert result.stat().st_nlink == 2


def test_every_mode_of_the_hostile_model_has_its_configuration():
    modes = load_program("hostile/hostile.py").MODES
    assert {path.parent.name for path in (EXAMPLE / "hostile").glob("*/container_config.yaml")} == set(modes)
