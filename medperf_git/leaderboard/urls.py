"""Where each page lies, from the root of the site: stable for ever.

Rules kept here: an address is a function of a name, so that a page can link to another without knowing it.
"""

from medperf_git.records.names import Ref

INDEX = "index.html"
METHODS = "methods.html"
CHANGES = "changes.html"
FEED = "changes.atom"
MEMBERS = "members/index.html"


def benchmark_url(ref: Ref) -> str:
    """Give the page of a benchmark version."""
    return f"benchmarks/{ref.path}/index.html"


def embed_url(ref: Ref) -> str:
    """Give the small table of a benchmark version, for the frame of another site."""
    return f"benchmarks/{ref.path}/embed.html"


def benchmark_badge_url(ref: Ref) -> str:
    """Give the badge that says who is first."""
    return f"benchmarks/{ref.path}/badge.svg"


def model_url(ref: Ref) -> str:
    """Give the page of a model."""
    return f"models/{ref.path}/index.html"


def model_badge_url(model: Ref, benchmark: Ref) -> str:
    """Give the badge that says where a model stands in a benchmark; dots, since names hold hyphens."""
    return f"models/{model.path}/badge-{benchmark.folder}.svg"


def site_url(ref: Ref) -> str:
    """Give the page of a dataset."""
    return f"sites/{ref.path}/index.html"


def member_url(name: str) -> str:
    """Give the page of a member."""
    return f"members/{name}/index.html"
