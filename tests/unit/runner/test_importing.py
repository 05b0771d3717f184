"""Container configurations become tasks of a cube record."""

from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.records.models import Mount, RunArgs
from medperf_git.runner.importing import import_file

CONFIG = """
container_type: DockerImage
image: site/prep:1
tasks:
  prepare:
    run_args: {command: [python3, /x.py], entrypoint: /bin/sh, environment: {A: 1, B: true}, shm_size: 2g, gpus: 1}
    input_volumes: {data_path: {mount_path: /in, type: directory}}
    output_volumes: {report_file: {mount_path: /out/r.yaml, type: file}}
  sanity_check: {}
"""
MLCUBE = """
name: Old
description: An old preparator
authors: [{name: x}]
platform: {accelerator_count: 0}
docker: {image: "mlcommons/prep:0.0.1", gpu_args: "--gpus=all", cpu_args: "--shm-size 4g --net host"}
tasks:
  prepare:
    entrypoint: "python3 /p.py"
    parameters:
      inputs: {data_path: input_data/, labels_path: input_labels/, parameters_file: parameters.yaml}
      outputs: {output_path: {type: directory, default: data/}}
  statistics:
    parameters:
      inputs: {data_path: data/, parameters_file: {type: file, default: parameters.yaml}}
      outputs: {output_path: {type: file, default: statistics.yaml}}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_every_field_of_a_configuration_is_kept(tmp_path: Path) -> None:
    cube = import_file(written(tmp_path, CONFIG))
    assert (cube.image_type, cube.image, cube.role) == ("DockerImage", "site/prep:1", "data-preparator")
    prepare = cube.tasks["prepare"]
    assert prepare.run_args == RunArgs(("python3", "/x.py"), "/bin/sh", {"A": "1", "B": "true"}, "2g", 1)
    assert prepare.input_volumes == {"data_path": Mount("/in", "directory")}
    assert prepare.output_volumes == {"report_file": Mount("/out/r.yaml", "file")}


def test_an_mlcube_runs_as_entrypoint_task_and_parameters(tmp_path: Path) -> None:
    cube = import_file(written(tmp_path, MLCUBE))
    args = cube.tasks["prepare"].run_args
    assert args is not None
    assert args.command == (
        "prepare", "--data_path=/mlcube_io0", "--labels_path=/mlcube_io1",
        "--parameters_file=/mlcube_io2/parameters.yaml", "--output_path=/mlcube_io3",
    )  # fmt: skip
    assert (args.entrypoint, args.shm_size, args.gpus) == ("python3 /p.py", "4g", "all")
    assert cube.tasks["statistics"].output_volumes == {"output_path": Mount("/mlcube_io1/statistics.yaml", "file")}
    assert cube.parameters_path == tmp_path / "workspace" / "parameters.yaml"
    assert cube.notes == ("docker/cpu_args: --net is left out; the sandbox decides it",)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("DockerImage", "EncryptedDockerArchive"), "encrypted image"),
        (("DockerImage", "Zip"), "not known"),
        (("shm_size", "privileged"), "tasks/prepare/run_args/privileged is not known"),
        (("mount_path: /in,", "mount_path: in,"), "absolute path"),
        (("type: file", "type: pipe"), "'pipe' is not known"),
        (("image: site/prep:1", ""), "`image` is missing"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        import_file(written(tmp_path, CONFIG.replace(*change)))
