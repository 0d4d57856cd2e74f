"""Folders of results: one run at a time, whole or not at all, and never in place of what is read."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import is_leftover, sweep, unwritable

try:
    import fcntl
except ImportError:  # another system than Unix
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "REPORT_NAME",
    "check_inputs",
    "check_output",
    "leaving_nothing",
    "locked",
    "locked_part",
    "output_folder",
    "refuse_links",
    "whole_result",
]

REPORT_NAME = "report.json"
_PARTIAL = ".partial"
_LOCK, _PART = ".monai-consingan.lock", ".monai-consingan.{}.lock"
_LOCKS = re.compile(r"\.monai-consingan(\.[^.]+)?\.lock")
_OWN = re.compile(
    r"((image|label|naive|alteration)\.(nii\.gz|png)|(figure|images)\.png|report\.(json|html|pdf)|model\.pt"
    r"|sample-\d{3,}\.(png|gif))",
    re.IGNORECASE,
)
_CHECKPOINT = re.compile(r"checkpoint[^.]*\.pt")


def check_output(path: str | Path, *, overwrite: bool = False, besides: Iterable[str] = ()) -> None:
    """Refuse an output folder that holds something already; what a killed run left in it does not count.

    Args:
        path: the folder.
        overwrite: whether it may hold something.
        besides: names in it that do not count either.

    Raises:
        ConSinGANError: it does and ``overwrite`` is not set, or it is a file, or cannot be looked into.
    """
    path = Path(path)
    try:
        is_folder = path.is_dir()
        holds = {item.name for item in path.iterdir()} - {_PARTIAL, *besides} if is_folder else set()
        is_file = not is_folder and os.path.lexists(path)
    except OSError as error:
        raise unwritable(path, error) from error
    if is_file:
        raise ConSinGANError(f"output {path} is a file: give a folder.")
    if not overwrite and not all(_LOCKS.fullmatch(name) or is_leftover(name) for name in holds):
        raise ConSinGANError(f"output {path} is not empty: give another folder, or --overwrite.")


def check_inputs(path: str | Path, inputs: Iterable[str | Path | None]) -> None:
    """Refuse an output folder in which results would take the place of something that is read.

    Args:
        path: the folder.
        inputs: the files and folders that are read; ``None`` for none.

    Raises:
        ConSinGANError: an input is the folder itself, or lies in it under a name that results have.
    """
    folder = Path(path).resolve()
    for given in inputs:
        for place in () if given is None else (Path(given).absolute(), Path(given).resolve()):
            if place.resolve() == folder or (place.parent.resolve() == folder and _OWN.fullmatch(place.name)):
                raise ConSinGANError(
                    f"output {path} would take the place of {given}, which is read: give another folder."
                )


def refuse_links(path: str | Path) -> None:
    """Refuse a folder that holds a link to a folder, through which results would be written somewhere else.

    Raises:
        ConSinGANError: it holds one.
    """
    for item in sorted(Path(path).iterdir()) if Path(path).is_dir() else ():
        if item.is_symlink() and item.is_dir():
            raise ConSinGANError(
                f"output {path} holds the link {item.name}, which leads out of it: put a folder in its place."
            )


@contextmanager
def output_folder(
    path: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path | None] = ()
) -> Iterator[Path]:
    """Work in a hidden folder inside the output folder, and move its files up when all went well.

    After an error or an interrupt the hidden folder is removed, and the output folder too if it is new. After a kill it
    stays, and the next run with the same output finds there what was left of a training, its checkpoint, and no more.

    Args:
        path: the output folder; nothing is written outside of it.
        overwrite: whether a folder that holds something may be used. An earlier result stays until the new one is
            whole, and then goes with all its files; what is not a result's is left alone.
        inputs: what is read, which results do not replace.

    Yields:
        The hidden folder.

    Raises:
        ConSinGANError: the folder holds something already, is a file, is in use by another run, is where an input is,
            or cannot be written to (no permission, no space).
    """
    check_output(path, overwrite=overwrite)
    check_inputs(path, inputs)
    with locked(path):
        check_output(path, overwrite=overwrite)  # as another run may just have ended
        with whole_result(path) as partial:
            yield partial


@contextmanager
def whole_result(path: str | Path) -> Iterator[Path]:
    """The hidden folder of :py:func:`output_folder`, in a folder that is locked already."""
    path = Path(path)
    partial = path / _PARTIAL
    try:
        _only_checkpoints(partial)
        sweep(path)
        partial.mkdir(parents=True, exist_ok=True)
        yield partial
        _move_up(partial, path)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


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


def _only_checkpoints(partial: Path) -> None:
    """Remove what a killed run left, but for the checkpoints from which trainings go on."""
    if partial.is_symlink() or partial.is_file():
        partial.unlink()
    for item in list(partial.iterdir()) if partial.is_dir() else ():
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        elif item.is_symlink() or not _CHECKPOINT.fullmatch(item.name):
            item.unlink()


def _move_up(partial: Path, path: Path) -> None:
    """Put all files in the place of the earlier result's, the report last: a folder with a report is complete."""
    for item in list(partial.iterdir()):
        if _CHECKPOINT.fullmatch(item.name):  # of another training that was killed
            item.unlink()
    new = sorted(partial.iterdir(), key=lambda item: (item.name == REPORT_NAME, item.name))
    old = [item for item in path.iterdir() if _OWN.fullmatch(item.name)] if _is_result(path) else []
    (path / REPORT_NAME).unlink(missing_ok=True)
    for item in old:
        if item.name not in {kept.name for kept in new}:
            item.unlink(missing_ok=True)
    for item in new:
        os.replace(item, path / item.name)
    partial.rmdir()


def _is_result(path: Path) -> bool:
    """Whether a folder has a report of this package."""
    try:
        return "command" in json.loads((path / REPORT_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return False
