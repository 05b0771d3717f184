"""How much disk runs take, and how much comes free with them."""

from pathlib import Path

from medperf_git.runner.sizes import freed_by, size_of


def test_a_file_with_two_names_counts_once_and_comes_free_with_its_last(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (one / "a").write_bytes(b"x" * 8192)
    (two / "a").hardlink_to(one / "a")
    (two / "b").write_bytes(b"x" * 4096)
    assert size_of(one) == 8192
    assert size_of(one, two) == 12288
    assert freed_by([one]) == 0
    assert freed_by([two]) == 4096
    assert freed_by([one, two]) == 12288


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 65536)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(tmp_path / "big")
    assert size_of(tmp_path / "run") < 4096
    assert size_of(tmp_path / "nowhere") == 0
