"""R's random numbers, so that examples which others published as R scripts can be made again from their seeds.

R scrambles a seed by a linear congruence, fills the Mersenne Twister with what follows, and makes normal numbers by
inverting their distribution, from two uniform ones each (R's defaults since version 1.7).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

WORDS = 624
SCRAMBLES = 50
BIG = 134217728  # 2^27: the first uniform number gives the high bits, the second the rest
STEP = 2.3283064365386963e-10  # 2^-32
NEVER_ZERO = 2.328306437080797e-10  # 1 / (2^32 − 1)


class RRandom:
    """The stream that follows `set.seed(seed)` in R."""

    def __init__(self, seed: int) -> None:
        words, word = [], seed & 0xFFFFFFFF
        for number in range(SCRAMBLES + WORDS + 1):
            word = (69069 * word + 1) & 0xFFFFFFFF
            if number > SCRAMBLES:  # the first word after the scrambling is R's own place marker
                words.append(word)
        self._twister = np.random.MT19937(0)
        key = np.array(words, dtype=np.uint32)
        self._twister.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": WORDS}}

    def runif(self, n: int, low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
        """Draw n uniform numbers."""
        raw = np.asarray(self._twister.random_raw(n), dtype=np.float64) * STEP
        return low + (high - low) * np.clip(raw, NEVER_ZERO / 2, 1 - NEVER_ZERO / 2)

    def rnorm(self, n: int, mean: float = 0.0, sd: float = 1.0) -> NDArray[np.float64]:
        """Draw n normal numbers."""
        pairs = self.runif(2 * n).reshape(n, 2)
        return np.asarray(mean + sd * ndtri((np.floor(BIG * pairs[:, 0]) + pairs[:, 1]) / BIG))
