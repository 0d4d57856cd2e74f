from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from importlib import reload
from pathlib import Path
from types import ModuleType

import pytest

from monai_consingan import gzipped

DATA = bytes(range(256)) * 300


@pytest.fixture(params=["isal", "zlib"])
def packer(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The module as it is where there is ISA-L, and where there is none."""
    if request.param == "isal":
        pytest.importorskip("isal")
        yield gzipped
        return
    with pytest.MonkeyPatch.context() as patched:
        for name in ("isal", "isal.igzip", "isal.isal_zlib"):
            patched.setitem(sys.modules, name, None)
        yield reload(gzipped)
    reload(gzipped)


def test_what_is_packed_anyone_unpacks(packer: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    with packer.packed_file(path) as file:
        file.write(DATA[:1000])
        file.write(DATA[1000:])
    packed = path.read_bytes()
    assert gzip.decompress(packed) == packer.decompress(packed) == DATA
    assert len(packed) < len(DATA) / 20


def test_a_file_tells_neither_name_nor_time(packer: ModuleType, tmp_path: Path) -> None:
    for name in ("patient.nii.gz", "b.gz"):
        with packer.packed_file(tmp_path / name) as file:
            file.write(DATA)
    first, second = (path.read_bytes() for path in tmp_path.iterdir())
    assert first == second
    assert first[3:8] == bytes(5), "no flags, so no name, and no time"


def test_what_anyone_packed_is_unpacked(packer: ModuleType) -> None:
    assert packer.decompress(gzip.compress(DATA, 9) + gzip.compress(b"more", 1) + bytes(512)) == DATA + b"more"


@pytest.mark.parametrize("spoil", ["cut", "checksum", "other"])
def test_what_is_damaged_is_refused(packer: ModuleType, spoil: str) -> None:
    packed = gzip.compress(DATA)
    damaged = {"cut": packed[:-20], "checksum": packed[:-8] + bytes(4) + packed[-4:], "other": DATA}[spoil]
    with pytest.raises((OSError, EOFError)):
        packer.decompress(damaged)


def test_the_checksum_is_zlibs(packer: ModuleType) -> None:
    assert packer.crc32(memoryview(DATA)) == zlib.crc32(DATA)
