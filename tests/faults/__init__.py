"""Faults on purpose: kills, full and broken disks, engines that die, many clients; `python -m tests.faults --help`.

Each module is one scenario; each says what must hold afterwards in words that begin with what was found wrong.
"""
