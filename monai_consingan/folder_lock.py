"""One run at a time in a folder of results, whole or in parts."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import unwritable

try:
    import fcntl
except ImportError:  # another system than Unix
    fcntl = None  # type: ignore[assignment]

_LOCK, _PART = ".monai-consingan.lock", ".monai-consingan.{}.lock"
_LOCKS = re.compile(r"\.monai-consingan(\.[^.]+)?\.lock")


def is_lock(name: str) -> bool:
    """Whether a file has the name of a lock."""
    return _LOCKS.fullmatch(name) is not None


@contextmanager
def leaving_nothing(path: str | Path) -> Iterator[None]:
    """Remove the folders that are new and empty in the end, from ``path`` upwards."""
    path = Path(path)
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        yield
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def locked(path: str | Path, *, wait: float = 0.0) -> Iterator[None]:
    """Be the only run that writes to an output folder, which is made.

    The system frees the lock when the process ends, however it ends. Where it needs a file, that is gone afterwards.

    Args:
        path: the folder.
        wait: seconds to wait for the parts that hold it while they begin (:py:func:`locked_part`). A run that is whole
            waits for none, but finds out whether a part is at work.

    Raises:
        ConSinGANError: another run is at work in it, or it cannot be written to.
    """
    path = Path(path)
    with leaving_nothing(path), ExitStack() as stack:
        _lock(stack, path, _LOCK, wait)
        if not wait:
            for part in sorted(path.glob(_PART.format("*"))):
                with ExitStack() as tried:
                    _lock(tried, path, part.name)
        yield


@contextmanager
def locked_part(path: str | Path, part: str) -> Iterator[None]:
    """Be the only run that does a part of what belongs into an output folder, beside those that do other parts.

    Args:
        path: the folder, which is locked while this begins.
        part: name of the part, such as ``"1-of-4"``.

    Raises:
        ConSinGANError: another run does this part.
    """
    with ExitStack() as stack:
        _lock(stack, Path(path), _PART.format(part))
        yield


def _lock(stack: ExitStack, path: Path, name: str, wait: float = 0.0) -> None:
    """Lock a file until the stack is left, which then removes it, or the folder itself where the system can do that."""
    for _ in range(100):
        try:
            path.mkdir(parents=True, exist_ok=True)
            if name == _LOCK and _lock_folder(stack, path, wait):
                return
            lock = FileLock(path / name, timeout=wait)
            lock.acquire(poll_interval=0.02)
        except Timeout:
            break
        except FileNotFoundError:  # the folder went with a run that ended in an error
            continue
        except OSError as error:
            raise unwritable(path, error) from error
        if (path / name).exists():
            stack.callback(_unlock, lock)
            return
        lock.release()  # of a run that has just ended, whose file is gone
    raise ConSinGANError(f"output {path} is in use by another run: wait until that ends, or give another folder.")


def _lock_folder(stack: ExitStack, path: Path, wait: float) -> bool:
    """Lock a folder itself, so that not even a kill leaves a file; whether that can be done here.

    Raises:
        Timeout: another run holds it.
    """
    if fcntl is None:
        return False
    until = time.monotonic() + wait
    with ExitStack() as opened:
        descriptor = os.open(path, os.O_RDONLY)
        opened.callback(os.close, descriptor)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Timeout(str(path)) from None
                time.sleep(0.02)
            except OSError:  # a file system whose locks are those of files
                return False
        if not os.path.samestat(os.fstat(descriptor), os.stat(path)):
            raise FileNotFoundError(path)
        stack.push(opened.pop_all())
    return True


def _unlock(lock: FileLock) -> None:
    for act in (Path(lock.lock_file).unlink, lock.release, lambda: Path(lock.lock_file).unlink(missing_ok=True)):
        with suppress(OSError):  # a system that keeps the files that are open
            act()
