"""Pictures for load are what the broker lets through."""

import pytest

from tests.support.pictures import SIZE_PX, STAMP_BYTES, a_jpeg, stamp_of, stamped
from turnstile.protocol.jpeg import check_jpeg


@pytest.mark.parametrize("size_bytes", [20_000, 50_000])
def test_a_picture_has_the_size_asked_for_and_passes_the_broker(size_bytes: int) -> None:
    """Pictures for load are what the broker lets through, to the byte as large as asked."""
    jpeg = a_jpeg(size_bytes)
    assert len(jpeg) == size_bytes
    assert check_jpeg(jpeg, max_bytes=size_bytes, max_px=SIZE_PX[0] * SIZE_PX[1]) == SIZE_PX


def test_a_stamped_picture_tells_when_it_was_taken() -> None:
    """The stamp is a comment: the picture stays a baseline JPEG."""
    jpeg = a_jpeg(20_000)
    taken = stamped(jpeg, camera=3, captured_ns=2**60 + 1)
    assert stamp_of(taken) == (3, 2**60 + 1)
    assert len(taken) == len(jpeg) + STAMP_BYTES
    assert check_jpeg(taken, max_bytes=30_000, max_px=SIZE_PX[0] * SIZE_PX[1]) == SIZE_PX
