#!/usr/bin/env python3
"""Record what a command prints, with its timings, and draw the recording as an animated SVG.

scripts/cast.py record --out demo.cast -- examples/breast-cancer/demo.py --out /tmp/out
scripts/cast.py draw demo.cast --out demo.svg --title "…" --description "…" --part "— 8. " "— 9. "

The recording is an asciicast of version 2 (docs.asciinema.org), so other players read it too. What is drawn are
lines and their colours: programs that move the cursor about are not meant. The SVG needs no script. Its text can be
selected, it plays once, stands still while the pointer is over it, and shows its last screen at once to who asked
for less motion.
"""

import argparse
import json
import os
import re
import select
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

COLUMNS, ROWS = 104, 22
WIDE, HIGH, MARGIN, BAR = 7.8, 18, 16, 30  # of a character, of a line, around the screen, of the title: all px
LONGEST, SHORTEST, REST = 1.0, 0.06, 1.2  # seconds between two lines at most and at least, and before a command
BACKGROUND, TEXT = "#11161d", "#d7dde4"
COLORS = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "34": "u", "35": "m", "36": "c"}
STYLE = """\
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d7dde4;white-space:pre}
.b{font-weight:700}.d{fill:#94a1b0}.r{fill:#ff8a80}.g{fill:#8bd49c}.y{fill:#f2c96d}
.u{fill:#8ab8ff}.m{fill:#d6a4f5}.c{fill:#7fd6e2}"""
MOTION = """\
@media (prefers-reduced-motion:no-preference){{#lines{{animation:s {all:.2f}s step-end 1 both}}
#cover{{animation:c {all:.2f}s step-end 1 both}}svg:hover #lines,svg:hover #cover{{animation-play-state:paused}}}}
@keyframes s{{{scrolls}}}
@keyframes c{{{covers}}}"""
INK = re.compile(r"\x1b\[([0-9;]*)m")
OTHER = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0b-\x1a\x1c-\x1f]")
TYPED = re.compile(r"^[a-z-]* ?\$ ")


@dataclass(frozen=True)
class Line:
    """One line as it was printed, colours included, and the second at which it was complete."""

    second: float
    text: str

    @property
    def plain(self) -> str:
        """The words alone."""
        return INK.sub("", self.text)


def record(words: list[str], out: Path) -> int:
    """Run a command on a terminal of its own; write what it prints, and when, as an asciicast. Return its code."""
    import pty  # noqa: PLC0415 - recording needs a terminal of Unix, drawing does not

    started = time.monotonic()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execvp(words[0], words)
    with out.open("w", encoding="utf-8") as file:
        header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": " ".join(words)}
        file.write(json.dumps(header, ensure_ascii=False) + "\n")
        for piece in _printed(terminal):
            event = [round(time.monotonic() - started, 3), "o", piece]
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _printed(terminal: int) -> Iterator[str]:
    while True:
        select.select([terminal], [], [])
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end has closed
            return
        if not piece:
            return
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        yield piece.decode("utf-8", errors="replace")


def read_lines(recording: Path) -> list[Line]:
    """Return the lines of an asciicast, each with its second; what overwrites a line replaces it."""
    header, *events = [json.loads(one) for one in recording.read_text(encoding="utf-8").splitlines() if one]
    if header.get("version") != 2:
        raise SystemExit(f"{recording} is no asciicast of version 2")
    lines, open_line = [], ""
    for second, kind, piece in events:
        *complete, open_line = (open_line + piece).split("\n") if kind == "o" else [open_line]
        lines += [Line(float(second), _visible(text)) for text in complete]
    return [*lines, Line(lines[-1].second if lines else 0.0, _visible(open_line))] if open_line else lines


def _visible(text: str) -> str:
    return OTHER.sub("", text.rstrip("\r").rpartition("\r")[2]).expandtabs(8)


def chosen(lines: list[Line], parts: list[tuple[str, str]]) -> list[Line]:
    """Return the parts: each from the line that holds its first text up to, without it, that of its second."""
    kept, at = [], 0
    for first, last in parts:
        start = _find(lines, first, at)
        at = _find(lines, last, start + 1)
        kept += [*([Line(lines[start].second, "")] if kept and kept[-1].plain.strip() else []), *lines[start:at]]
    return kept if parts else lines


def _find(lines: list[Line], text: str, start: int) -> int:
    for number, line in enumerate(lines[start:], start):
        if text in line.plain:
            return number
    raise SystemExit(f"no line from the {start + 1}th on holds: {text}")


def paced(lines: list[Line]) -> list[Line]:
    """Return the lines at a pace that a reader follows: long pauses cut, a rest before each command."""
    now, before, out = 0.4, lines[0].second, []
    for line in lines:
        pause = min(LONGEST, max(SHORTEST, line.second - before))
        now += max(REST, pause) if TYPED.match(line.plain) and out else pause
        before = line.second
        out.append(Line(now, line.text))
    return out


def draw(lines: list[Line], *, title: str, description: str) -> str:
    """Return the SVG: all lines in one long group that moves up in steps, and a cover over what is not printed yet."""
    width, height = COLUMNS * WIDE + 2 * MARGIN, ROWS * HIGH + 2 * MARGIN + BAR
    end = lines[-1].second + 4
    last = (-max(0, len(lines) - ROWS) * HIGH, min(len(lines), ROWS) * HIGH)
    motion = MOTION.format(all=end, scrolls="".join(_scrolls(lines, end)), covers="".join(_covers(lines, end)))
    rows = "\n".join(
        f'<text y="{number * HIGH + 13}">{_row(line.text)}</text>'
        for number, line in enumerate(lines)
        if line.plain.strip()
    )
    dots = "".join(
        f'<circle cx="{MARGIN + 5 + 16 * dot}" cy="{BAR / 2 + 3}" r="5" fill="#3b4653"/>' for dot in range(3)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="t d">
<title id="t">{escape(title)}</title><desc id="d">{escape(description)}</desc>
<style>{STYLE}
#lines{{transform:translateY({last[0]}px)}}#cover{{transform:translateY({last[1]}px)}}
{motion}</style>
<rect width="{width:g}" height="{height:g}" rx="8" fill="{BACKGROUND}"/>{dots}
<svg x="{MARGIN}" y="{BAR + MARGIN / 2:g}" width="{COLUMNS * WIDE:g}" height="{ROWS * HIGH}"><g id="lines">
{rows}
</g><rect id="cover" width="100%" height="100%" fill="{BACKGROUND}"/></svg>
</svg>
"""


def _scrolls(lines: list[Line], end: float) -> Iterator[str]:
    yield "0%{transform:translateY(0)}"
    for number, line in enumerate(lines[ROWS:], ROWS + 1):
        yield f"{line.second / end:.4%}{{transform:translateY({(ROWS - number) * HIGH}px)}}"


def _covers(lines: list[Line], end: float) -> Iterator[str]:
    yield "0%{transform:translateY(0)}"
    for number, line in enumerate(lines[:ROWS], 1):
        yield f"{line.second / end:.4%}{{transform:translateY({number * HIGH}px)}}"


def _row(text: str) -> str:
    room, classes, spans = COLUMNS, "", []
    for piece, codes in _pieces(text):
        cut = piece if len(piece) <= room else piece[: max(0, room - 1)] + "…" * (room > 0)
        room -= len(cut)
        ink = escape(cut)
        spans.append(f'<tspan class="{classes}">{ink}</tspan>' if classes and ink.strip() else ink)
        classes = " ".join(COLORS[code] for code in codes.split(";") if code in COLORS)
    return "".join(spans).rstrip()


def _pieces(text: str) -> Iterable[tuple[str, str]]:
    parts = INK.split(text)
    return zip(parts[::2], [*parts[1::2], ""], strict=True)


def main() -> int:
    """Record or draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="run a command and keep what it prints")
    recording.add_argument("--out", type=Path, required=True)
    recording.add_argument("words", nargs="+", help="the command, after --")
    drawing = verbs.add_parser("draw", help="draw a recording as an animated SVG")
    drawing.add_argument("recording", type=Path)
    drawing.add_argument("--out", type=Path, required=True)
    drawing.add_argument("--title", required=True)
    drawing.add_argument("--description", required=True)
    drawing.add_argument(
        "--part", nargs=2, action="append", default=[], metavar=("FROM", "UNTIL"), help="show only these lines"
    )
    drawing.add_argument(
        "--hide", nargs=2, action="append", default=[], metavar=("TEXT", "SHOWN"), help="show TEXT as SHOWN"
    )
    asked = parser.parse_args()
    if asked.verb == "record":
        return record(asked.words, asked.out)
    lines = paced(chosen(read_lines(asked.recording), asked.part))
    for text, shown in asked.hide:
        lines = [Line(line.second, line.text.replace(text, shown)) for line in lines]
    asked.out.write_text(draw(lines, title=asked.title, description=asked.description), encoding="utf-8", newline="\n")
    print(f"{asked.out}: {asked.out.stat().st_size / 1000:.0f} kB, {len(lines)} lines, {lines[-1].second:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
