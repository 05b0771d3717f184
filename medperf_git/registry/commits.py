"""Write commits of added files without an index or a work tree.

Only the folders on the way to an added file are rewritten (nested `TreeBuilder`), so the cost does not grow
with the registry. Author, committer and date are arguments: the same change makes the same commit id.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NewType

import pygit2
from pygit2.enums import FileMode

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.registry.objects import Store
from medperf_git.registry.trees import FILE, FOLDER, entry_fault

ProposalId = NewType("ProposalId", str)

_BUNDLE = ".sigstore.json"


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit names, and when, in whole seconds of UTC."""

    name: str
    email: str
    when: datetime

    def signature(self) -> pygit2.Signature:
        """Return it as Git writes it."""
        return pygit2.Signature(self.name, self.email, int(self.when.astimezone(UTC).timestamp()), 0)


def submission_id(added: Mapping[str, bytes]) -> ProposalId:
    """Return the id of the proposal that adds these files; bundles do not count."""
    lines = sorted(
        f"{path}\0{hashlib.sha256(data).hexdigest()}\n" for path, data in added.items() if not path.endswith(_BUNDLE)
    )
    return ProposalId(hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()[:32])


def proposal_ref(proposal: str) -> str:
    """Return the full ref name of a proposal."""
    return f"refs/heads/submit/{proposal}"


def write_root(store: Store, files: Mapping[str, bytes], *, message: str, author: Author) -> str:
    """Write a commit without parents that holds `files`; return its id."""
    with _writing(store):
        return _commit(store, _write_tree(store, None, _nested(files)), message, author, parents=[])


def write_commit(store: Store, parent: str, files: Mapping[str, bytes | None], *, message: str, author: Author) -> str:
    """Write a commit of `files` laid over the tree of `parent` (None takes one away); return its id."""
    with _writing(store):
        tree = _write_tree(store, _tree_of(store, store.commit(parent).tree), _nested(files))
        return _commit(store, tree, message, author, parents=[parent])


def write_merge(store: Store, base: str, head: str, *, files: Mapping[str, bytes], message: str, author: Author) -> str:
    """Write the merge commit of `head` into `base`: the tree of `base` and `files`; return its id."""
    with _writing(store):
        tree = _write_tree(store, _tree_of(store, store.commit(base).tree), _nested(files))
        return _commit(store, tree, message, author, parents=[base, head])


def set_ref(store: Store, name: str, commit: str | None) -> None:
    """Point a local ref at a commit, or remove it (None)."""
    references = store.repository.references
    with _writing(store):
        if commit is not None:
            references.create(name, pygit2.Oid(hex=commit), force=True)
        elif name in references:
            references.delete(name)


@contextmanager
def _writing(store: Store) -> Iterator[None]:
    """Say which repository could not be written; libgit2 gives only words, no number and no path."""
    try:
        yield
    except (pygit2.GitError, OSError) as error:
        hint = "make room on that disk, or see who may write there; then run the same command again"
        raise EnvironmentProblem(f"{store.path} cannot be written: {error}", hint=hint) from error


@dataclass(slots=True)
class _Folder:
    files: dict[str, bytes | None] = field(default_factory=dict)
    folders: dict[str, "_Folder"] = field(default_factory=dict)


def _nested(files: Mapping[str, bytes | None]) -> _Folder:
    root = _Folder()
    for path, data in files.items():
        *above, name = path.split("/")
        folder = root
        for step in above:
            _refuse_bad_name(FOLDER, step, path)
            folder = folder.folders.setdefault(step, _Folder())
        _refuse_bad_name(FILE, name, path)
        folder.files[name] = data
    return root


def _refuse_bad_name(mode: bytes, name: str, path: str) -> None:
    if fault := entry_fault(mode, name.encode("utf-8")):
        raise UsageProblem(f"{path!r} cannot stand in a registry: {fault}", hint="choose another path")


def _write_tree(store: Store, base: pygit2.Tree | None, folder: _Folder) -> pygit2.Oid:
    repository = store.repository
    builder = repository.TreeBuilder(base) if base is not None else repository.TreeBuilder()
    for name, data in folder.files.items():
        if data is not None:
            builder.insert(name, repository.create_blob(data), FileMode.BLOB)
        elif builder.get(name) is not None:
            builder.remove(name)
    for name, inner in folder.folders.items():
        below = base[name] if base is not None and name in base else None
        below = _tree_of(store, below.id.raw) if isinstance(below, pygit2.Tree) else None
        builder.insert(name, _write_tree(store, below, inner), FileMode.TREE)
    return builder.write()


def _tree_of(store: Store, raw_id: bytes) -> pygit2.Tree:
    store.prefetch([raw_id])
    tree = store.repository[pygit2.Oid(raw=raw_id)]
    if not isinstance(tree, pygit2.Tree):
        raise TypeError(raw_id.hex())
    return tree


def _commit(store: Store, tree: pygit2.Oid, message: str, author: Author, *, parents: list[str]) -> str:
    who = author.signature()
    made = store.repository.create_commit(None, who, who, message, tree, [pygit2.Oid(hex=one) for one in parents])
    return str(made)
