"""The house files of a new registry: its README, and the workflows by which a forge judges and shows it.

A proposal is never checked out and none of it is executed; the validator is a pinned release, values travel by
environment variables, no job has a secret.
"""

from medperf_git import __version__

JUDGE = ".github/workflows/judge.yml"
SITE = ".github/workflows/site.yml"

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
PYTHON = "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0"
UPLOAD = "actions/upload-pages-artifact@7b1f4a764d45c48632c6b24a0339c27f5614fb0b # v4.0.0"
DEPLOY = "actions/deploy-pages@d6db90164ac5ed86f2b6aed7e0febac5b3c0c03e # v4.0.5"

_README = """\
# {title}

A registry of [medperf-git](https://github.com/medperf-git/medperf-git): federated evaluation of medical AI with
nothing to host but this Git repository. Data never leaves a hospital; models run there in containers; only signed
results are kept here.

Every file below `registry/`, `members/`, `cubes/`, `datasets/`, `benchmarks/`, `associations/`, `results/` and
`notices/` is a record that was signed, judged and merged. A merged record never changes. Nobody edits here by hand:

    pipx install medperf-git
    medperf-git registry add THIS-ADDRESS
    medperf-git benchmark ls

Ask a maintainer for the registry's id (`mg1:…`) over another way than this page, and add it behind the address with
a `#`; then no copy of another registry can pass for this one.
"""

_JUDGE = """\
name: judge
on:
  pull_request:
    branches: [main]
permissions:
  contents: read
concurrency:
  group: judge-${{{{ github.event.pull_request.number }}}}
  cancel-in-progress: true
jobs:
  judge:
    name: judge
    runs-on: ubuntu-24.04
    timeout-minutes: 15
    steps:
      - name: Fetch main, not the proposal
        uses: {checkout}
        with:
          ref: ${{{{ github.event.pull_request.base.sha }}}}
          fetch-depth: 0
          persist-credentials: false
      - uses: {python}
        with:
          python-version: "3.12"
      - name: Install the validator
        run: pipx install "medperf-git=={version}"
      - name: Fetch the proposal's objects without checking them out
        env:
          NUMBER: ${{{{ github.event.pull_request.number }}}}
        run: git fetch --no-tags origin "refs/pull/$NUMBER/head:refs/proposals/$NUMBER"
      - name: Judge
        env:
          BASE: ${{{{ github.event.pull_request.base.sha }}}}
          HEAD: ${{{{ github.event.pull_request.head.sha }}}}
        run: medperf-git check --repo . --base "$BASE" --head "$HEAD" --format github
"""

_SITE = """\
name: site
on:
  push:
    branches: [main]
  workflow_dispatch: {{}}
permissions: {{}}
concurrency:
  group: site
  cancel-in-progress: false
jobs:
  build:
    name: build
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    permissions:
      contents: read
    steps:
      - uses: {checkout}
        with:
          fetch-depth: 0
          persist-credentials: false
      - uses: {python}
        with:
          python-version: "3.12"
      - name: Install the builder
        run: pipx install "medperf-git=={version}"
      - name: Verify the whole history and build the pages
        env:
          COMMIT: ${{{{ github.sha }}}}
        run: medperf-git leaderboard build --repo . --at "$COMMIT" --out site
      - uses: {upload}
        with:
          path: site
  deploy:
    name: deploy
    needs: build
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      pages: write # to publish the pages
      id-token: write # by which Pages knows this workflow
    environment:
      name: github-pages
      url: ${{{{ steps.deployment.outputs.page_url }}}}
    steps:
      - id: deployment
        uses: {deploy}
"""


def house_files(title: str) -> dict[str, bytes]:
    """Return the house files of a new registry: path → bytes."""
    words = {
        "title": title,
        "version": __version__,
        "checkout": CHECKOUT,
        "python": PYTHON,
        "upload": UPLOAD,
        "deploy": DEPLOY,
    }
    templates = {"README.md": _README, JUDGE: _JUDGE, SITE: _SITE}
    return {path: template.format(**words).encode() for path, template in templates.items()}
