"""Run the command line as `python -m medperf_git`."""

from medperf_git.cli.boundary import run

if __name__ == "__main__":
    run()
