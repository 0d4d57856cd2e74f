"""Gzip files and checksums, by ISA-L: it unpacks in half of the time of Python's zlib, and packs in a seventh.

Where there is no ``isal`` for a machine it is zlib, which packs into other bytes that hold the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

try:
    from isal.igzip import IGzipFile as _GzipFile
    from isal.igzip import decompress
    from isal.isal_zlib import crc32
except ImportError:
    from gzip import GzipFile as _GzipFile
    from gzip import decompress
    from zlib import crc32

__all__ = ["crc32", "decompress", "packed_file"]

_LEVEL = 1  # of the two: larger ones take several times as long for a few percent


@contextmanager
def packed_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a gzip file to write, which tells neither its name nor when it was written.

    Args:
        path: the file, which is replaced.

    Yields:
        What is written to.

    Example::

        with packed_file("image.nii.gz") as file:
            image.to_stream(file)
    """
    with open(path, "wb") as file, _GzipFile("", "wb", _LEVEL, file, 0) as packed:
        yield packed
