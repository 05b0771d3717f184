"""Container configurations become tasks of a cube record."""

from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.records.models import Mount, RunArgs
from medperf_git.runner.importing import ImportedCube, import_file

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


def test_an_mlcube_runs_as_its_images_entry_point_with_task_and_parameters(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "parameters.yaml").touch()
    cube = import_file(written(tmp_path, MLCUBE))
    args = cube.tasks["prepare"].run_args
    assert args is not None
    assert args.command == (
        "prepare", "--data_path=/mlcube_io0", "--labels_path=/mlcube_io1",
        "--parameters_file=/mlcube_io2/parameters.yaml", "--output_path=/mlcube_io3",
    )  # fmt: skip
    assert (args.entrypoint, args.shm_size, args.gpus) == (None, "4g", "all")
    assert cube.tasks["statistics"].output_volumes == {"output_path": Mount("/mlcube_io2/statistics.yaml", "file")}
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


def tasks_of(tmp_path: Path, tasks: str, docker: str = "image: lab/x", more: str = "") -> ImportedCube:
    return import_file(written(tmp_path, f"name: Old\ndocker:\n  {docker}\n{more}tasks:\n{tasks}"))


def test_an_entry_point_of_a_task_gets_the_parameters_alone(tmp_path: Path) -> None:
    task = """
  evaluate:
    entrypoint: "python3 /score.py --quiet"
    parameters:
      inputs: {predictions: predictions/, labels: labels/}
      outputs: {output_path: {type: file, default: results.yaml}}
"""
    args = tasks_of(tmp_path, task).tasks["evaluate"].run_args
    assert args is not None
    assert args.entrypoint == ("python3",)
    assert args.command is not None
    assert args.command[:3] == ("/score.py", "--quiet", "--predictions=/mlcube_io0")


def test_weights_below_additional_files_are_mounted_once_for_all_parameters(tmp_path: Path) -> None:
    task = """
  infer:
    parameters:
      inputs: {data_path: data/, backbone: additional_files/backbone, head: additional_files/heads/a.pt}
      outputs: {output_path: {type: directory, default: predictions}}
"""
    (tmp_path / "workspace" / "additional_files").mkdir(parents=True)
    cube = tasks_of(tmp_path, task)
    infer = cube.tasks["infer"]
    assert infer.run_args is not None
    assert infer.run_args.command == (
        "infer", "--data_path=/mlcube_io0", "--backbone=/mlcube_io1/backbone", "--head=/mlcube_io1/heads/a.pt",
        "--output_path=/mlcube_io2",
    )  # fmt: skip
    assert infer.input_volumes is not None
    assert infer.input_volumes["additional_files"] == Mount("/mlcube_io1", "directory")
    assert cube.additional_files_path == tmp_path / "workspace" / "additional_files"


def test_data_and_labels_of_one_default_folder_are_two_mounts(tmp_path: Path) -> None:
    task = """
  prepare:
    parameters:
      inputs: {data_path: {type: directory, default: raw}, labels_path: {type: directory, default: raw}}
      outputs: {output_path: prepared/}
"""
    inputs = tasks_of(tmp_path, task).tasks["prepare"].input_volumes
    assert inputs == {"data_path": Mount("/mlcube_io0", "directory"), "labels_path": Mount("/mlcube_io1", "directory")}


def test_an_output_that_nobody_reads_goes_to_the_fresh_folder(tmp_path: Path) -> None:
    task = """
  evaluate:
    parameters:
      inputs: {predictions: predictions, labels: {type: file, default: truth/labels.csv}}
      outputs: {output_path: {type: file, default: results.yaml}, log_path: {type: file, default: logs/eval.log}}
"""
    evaluate = tasks_of(tmp_path, task).tasks["evaluate"]
    assert evaluate.run_args is not None
    assert evaluate.run_args.command is not None
    assert evaluate.run_args.command[-1] == "--log_path=/tmp/eval.log"
    assert list(evaluate.output_volumes or ()) == ["output_path"]
    assert (evaluate.input_volumes or {})["labels"] == Mount("/mlcube_io1/labels.csv", "file")


def test_of_an_mlcubes_engine_options_those_of_the_task_are_kept(tmp_path: Path) -> None:
    docker = """image: lab/x
  gpu_args: --runtime=nvidia --shm-size=8G
  cpu_args: --user root -v /home:/home
  env_args: {OMP_NUM_THREADS: 4, LD_PRELOAD: /x.so, CUDA_VISIBLE_DEVICES: "${oc.env:X}"}
  secret: 1"""
    task = "  infer: {parameters: {inputs: {data_path: data/}, outputs: {output_path: predictions/}}}\n  train: {}\n"
    cube = tasks_of(tmp_path, task, docker, "singularity: {image: x.sif}\n")
    args = cube.tasks["infer"].run_args
    assert args is not None
    assert (args.gpus, args.shm_size, args.environment) == ("all", "8g", {"OMP_NUM_THREADS": "4"})
    assert "tasks/train is left out: no benchmark runs it" in cube.notes
    left_out = ("singularity", "docker/secret", "--user", "-v", "LD_PRELOAD", "CUDA_VISIBLE_DEVICES")
    assert all(any(what in note for note in cube.notes) for what in left_out)


def test_an_mlcube_on_an_accelerator_wants_gpus(tmp_path: Path) -> None:
    task = "  infer: {parameters: {inputs: {data_path: data/}, outputs: {output_path: predictions/}}}\n"
    args = tasks_of(tmp_path, task, more="platform: {accelerator_count: 1}\n").tasks["infer"].run_args
    assert args is not None
    assert args.gpus == "all"


@pytest.mark.parametrize(
    ("tasks", "fault"),
    [
        ("  infer: {parameters: {inputs: {data_path: d/, extra: extra.yaml}}}\n", "line 5: nobody supplies 'extra'"),
        ("  infer: {parameters: {inputs: {data_path: {type: str, default: d}}}}\n", "type 'str' is not known"),
        ("  infer: {parameters: {inputs: {data_path: 5}}}\n", "has no default path"),
        ("  infer: {entrypoint: 'python3 \"x', parameters: {}}\n", "cannot be split"),
    ],
)
def test_an_mlcube_that_cannot_be_run_is_refused_with_its_line(tmp_path: Path, tasks: str, fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        tasks_of(tmp_path, tasks)


@pytest.mark.parametrize(
    ("entrypoint", "fault"),
    [("5", "neither text nor a list"), ("{a: 1}", "neither text nor a list"), ('"  "', "is empty")],
)
def test_an_entry_point_that_is_none_is_refused_with_its_line(tmp_path: Path, entrypoint: str, fault: str) -> None:
    with pytest.raises(Refused, match=f"line 6: tasks/infer/entrypoint.*{fault}"):
        tasks_of(tmp_path, f"  infer:\n    entrypoint: {entrypoint}\n")


@pytest.mark.parametrize(
    ("docker", "fault"),
    [
        ("{image: x, env_args: {A: null}}", "docker/env_args/A is no single value"),
        ("{image: x, gpu_args: [--gpus=all]}", "docker/gpu_args is no text"),
    ],
)
def test_an_option_that_would_be_lost_in_silence_is_refused(tmp_path: Path, docker: str, fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        import_file(written(tmp_path, f"name: Old\ndocker: {docker}\ntasks: {{infer: {{}}}}\n"))


@pytest.mark.parametrize("value", ["null", "[1]", "{a: 1}"])
def test_a_variable_that_has_no_one_value_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(Refused, match="environment/A is no single value"):
        import_file(written(tmp_path, CONFIG.replace("{A: 1, B: true}", f"{{A: {value}}}")))


def test_an_mlcube_without_a_docker_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="docker/image is missing"):
        import_file(written(tmp_path, "name: x\nsingularity: {image: x.sif}\ntasks: {}\n"))


def test_a_fault_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"config\.yaml, line 8: tasks/prepare/output_volumes/report_file: type 'pipe'"):
        import_file(written(tmp_path, CONFIG.replace("type: file", "type: pipe")))


@pytest.mark.parametrize("workspace", ["", "workspace"])
def test_a_folder_is_read_with_the_files_beside_the_configuration(tmp_path: Path, workspace: str) -> None:
    text = CONFIG.replace(
        "{data_path:",
        "{parameters_file: {mount_path: /p.yaml, type: file}, "
        "additional_files: {mount_path: /w, type: directory}, data_path:",
    )
    (tmp_path / "container_config.yaml").write_text(text)
    beside = tmp_path / workspace
    (beside / "additional_files").mkdir(parents=True)
    (beside / "parameters.yaml").touch()
    cube = import_file(tmp_path)
    assert cube.parameters_path == beside / "parameters.yaml"
    assert cube.additional_files_path == beside / "additional_files"


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds no configuration"):
        import_file(tmp_path)


def test_a_workflow_of_many_containers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="'airflow' is not known"):
        import_file(written(tmp_path, "container_type: airflow\nsteps: []\n"))


def test_a_script_that_runs_weights_is_the_committees(tmp_path: Path) -> None:
    script = "container_type: DockerImage\nimage: x\ntasks:\n  run_script: {}\n"
    assert import_file(written(tmp_path, script)).role == "metrics"
