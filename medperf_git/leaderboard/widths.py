"""How wide a text is, from a small table, so that a picture can be laid out where there are no fonts.

Rules kept here: the widths are those of Arial and its metric twins (Helvetica, Liberation Sans, Arimo) in
thousandths of the type size; what is not in the table counts as wide as a digit, East Asian letters as a full square.
"""

import unicodedata
from functools import lru_cache

_BY_WIDTH = {
    191: "'",
    222: "ijl‘’‚",
    260: "|",
    278: " !,./:;I[\\]ft·\N{NO-BREAK SPACE}",
    333: "()-`r“”„",
    334: "{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jcksvxyz",
    556: "#$0123456789?L_abdeghnopqu–äöüéèàß",
    584: "+<=>~±−",
    611: "FTZ",
    667: "&ABEKPSVXYÄ",
    722: "CDHNRUwÜ",
    778: "GOQÖ",
    833: "Mm",
    889: "%",
    944: "W",
    1000: "—…",
    1015: "@",
}
_WIDTHS = {sign: width for width, signs in _BY_WIDTH.items() for sign in signs}


@lru_cache(maxsize=4096)
def width_of(text: str, size: float) -> float:
    """Give the width of a text in the unit of `size`, rounded to tenths."""
    return round(sum(map(_thousandths, text)) * size / 1000, 1)


def _thousandths(sign: str) -> int:
    if (known := _WIDTHS.get(sign)) is not None:
        return known
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cf", "Mn", "Me"):
        return 0
    return 1000 if unicodedata.east_asian_width(sign) in "WF" else 556 if sign.islower() else 667


def clip(text: str, size: float, room: float) -> str:
    """Shorten a text to the room there is, with an ellipsis."""
    if width_of(text, size) <= room:
        return text
    while text and width_of(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"
