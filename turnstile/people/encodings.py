"""Encodings: their form, and which bytes are a valid one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from turnstile.protocol.fields import ENCODING_BYTES

ENCODING_SIZE = 128

Encodings = npt.NDArray[np.float32]
"""float32 `(n, 128)`: one row a face; `n` may be 0."""

MAX_LENGTH = 2.0
"""Length of an encoding; dlib's are 1.3 to 1.5. Two are at most 4 apart: `messages.Distance`."""


@dataclass(frozen=True, kw_only=True)
class Unencoded:
    """An enrolment picture that no encoding is known of."""

    file: str
    digest: str
    data: bytes
    is_asked: bool = False
    """Somebody asks about it; it is no file of the faces folder, and `digest` is no hash."""


def is_encoding(data: bytes) -> bool:
    """Tell whether bytes are one encoding: 128 finite float32, as a vector at most `MAX_LENGTH` long."""
    return len(data) == ENCODING_BYTES and are_encodings(matrix(data))


def are_encodings(rows: Encodings) -> bool:
    """Tell whether all rows are finite and, as vectors, at most `MAX_LENGTH` long."""
    bounded = bool((np.abs(rows) <= MAX_LENGTH).all())  # false for what is not finite, whose square overflows
    return bounded and bool(((rows**2).sum(1) <= MAX_LENGTH**2).all())


def distances_between(rows: Encodings, columns: Encodings) -> Encodings:
    """Return float32 `(n, m)`: the Euclidean distance of each of `n` rows to each of `m` columns."""
    squares = np.einsum("ij,ij->i", rows, rows)[:, None] + np.einsum("ij,ij->i", columns, columns)
    return np.asarray(np.sqrt(np.maximum(squares - 2 * rows @ columns.T, 0)), np.float32)


def matrix(data: bytes) -> Encodings:
    """Return encodings `(n, 128)` from little-endian float32."""
    return np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(-1, ENCODING_SIZE)
