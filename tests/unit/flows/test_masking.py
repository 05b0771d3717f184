"""What a log loses before it may leave, and what it keeps."""

from pathlib import Path

import pytest

from medperf_git.flows.masking import Mask, names_in

HOME = "/home/dr-who/medperf-git"


@pytest.fixture
def mask(tmp_path: Path) -> Mask:
    data = tmp_path / "data"
    (data / "BraTS_001").mkdir(parents=True)
    (data / "BraTS_001" / "t1ce.nii.gz").touch()
    (data / "Anna Meier.dcm").touch()
    (data / "Zo\u0308e.dcm").touch()  # as some file systems write Zöe
    (data / "patients.csv").write_text("id,age,weight\nMRN-4711,61,70.5\n19500203,62,81.25\n")
    names, whole = names_in([data])
    assert whole
    return Mask(names, mounts=["/input/data"], host=[HOME, "node7"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("case BraTS_001 failed", "case ‹name 1› failed"),
        ("wrote BraTS_001_pred.nii.gz", "wrote ‹name 1›_pred.nii.gz"),
        ("/input/data/x/y.png: bad", "/input/data/‹name 1›: bad"),
        ("reading t1ce", "reading ‹name 1›"),
        ("Meier has MRN-4711", "‹name 1› has ‹name 2›"),
        (f"log in {HOME}/runs/0 on node7", "log in ‹host path or name› on ‹host path or name›"),
        ("cannot read /mnt/pacs/store", "cannot read ‹host path or name›"),
        ("born 1950-02-03, 20200101", "born ‹date›, ‹date›"),
        ("uid 1.2.840.113619.2, id 00471199", "uid ‹number›, id ‹number›"),
        ("ask anna.meier@hospital.example", "ask ‹address›"),
        ("‹BraTS_001›", "<‹name 1›>"),
        ("brats_001, MEIER", "‹name 1›, ‹name 2›"),
        ("a.b.c.d.e.f.g.h.i.j.k.l.BraTS_001", "a.b.c.d.e.f.g.h.i.j.k.l.‹name 1›"),
        ("Z\u00f6e is Zo\u0308e", "‹name 1› is ‹name 1›"),
    ],
)
def test_what_belongs_to_a_hospital_is_masked(mask: Mask, text: str, expected: str) -> None:
    assert mask.apply(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'File "/app/model.py", line 120, in forward',
        "CUDA out of memory. Tried to allocate 2147483648 bytes",
        "epoch 3: loss 0.693147",
        "torch 2.5.1+cu121, Python 3.11.7",
        "RuntimeError: shape [1, 155, 240, 240] is invalid",
    ],
)
def test_what_mends_a_container_is_kept(mask: Mask, text: str) -> None:
    assert mask.apply(text) == text


def test_one_name_has_one_number_and_what_was_masked_is_counted(mask: Mask) -> None:
    assert mask.apply("BraTS_001 then t1ce then BraTS_001") == "‹name 1› then ‹name 2› then ‹name 1›"
    assert mask.said() == ["3 × name of a file or case"]
    assert Mask().said() == ["nothing was recognised"]


def test_of_an_endless_line_the_beginning_is_masked_and_no_half_name_is_left(mask: Mask) -> None:
    assert mask.apply("t1ce." * 500) == "‹name 1›." * 500
    assert mask.apply("x " + "t1ce." * 200_000) == "x …"
    said = mask.apply("BraTS_001 " * 200_000)
    assert (said.count("‹name 2› "), said.replace("‹name 2› ", "")) == (409, "…")
