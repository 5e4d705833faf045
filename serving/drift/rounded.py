"""Numbers that were rounded on their way to the server, and which of training's values they are."""

import numpy as np

#: `DataFrame.to_json` writes ten decimals, from 1e16 on ten digits.
_DECIMALS, _DIGITS = 5.1e-11, 6e-10
#: Others write 15 digits or more.
_LAST = 1e-14
#: A number of which ten decimals leave less than this is another number, to a model too.
_MOST = 1e-5
#: Whole numbers below are counts, ids or days: one beside another is another one.
_IDS = 2.0**64


class Rounded:
    """Tells what a number was before a client rounded it.

    A number is one of these values if it is what FP32, JSON with ten decimals, or both make of the
    value, or if the value is the number's FP32 and all values are FP32. Whole values are not
    rounded by any of these, up to 2^24 by FP32; so they have to be met exactly.

    Parameters
    ----------
    values : ndarray of float64, (k,)
        Training's, in order, each once.
    """

    def __init__(self, values: np.ndarray) -> None:
        self._values = values
        single = _single(values)
        self._single = single.astype(np.float64)
        self._shortest = np.array([float(str(value)) for value in single], np.float64)
        self._all_single = bool((self._single == values).all())
        size = np.abs(values)
        decimals = np.where(size < _IDS, np.maximum(_DECIMALS, _LAST * size), _DIGITS * size)
        self._reach = np.minimum(decimals, _MOST * size)
        self._exact = (values == np.rint(values)) & (size < _IDS)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The numbers, those that are one of the values replaced by it."""
        values = self._values
        if not len(values):
            return numbers
        right = np.minimum(np.searchsorted(values, numbers), len(values) - 1)
        left = np.maximum(right - 1, 0)
        at = np.where(numbers - values[left] < values[right] - numbers, left, right)
        same = (
            (np.abs(numbers - values[at]) <= self._reach[at])
            | (np.abs(numbers - self._single[at]) <= self._reach[at])
            | (numbers == self._shortest[at])
        )
        if self._all_single:
            same |= _single(numbers) == values[at]
        return np.where(same & ~self._exact[at], values[at], numbers)


def _single(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):  # beyond FP32 it is infinite, or 0
        return numbers.astype(np.float32)
