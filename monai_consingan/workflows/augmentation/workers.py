"""The same function for many items, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from monai_consingan.errors import ConSinGANError

__all__ = ["for_each"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_DEATHS = 3


def for_each(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1, threads: int = 1
) -> Iterator[Result]:
    """Call a function for every item; results come as they are ready.

    Every call computes with the same number of threads, however many processes there are, so that its result does not
    depend on their number. If a process is killed, all items without a result are done again in new ones; ``function``
    has to notice what was done.

    Args:
        function: the function, which can be pickled if there are several jobs.
        items: the items.
        jobs: number of processes; 1 stays in this one.
        threads: threads of each.

    Raises:
        ConSinGANError: processes are killed again and again.
    """
    if jobs == 1 or len(items) < 2:
        for item in items:
            with _threads(threads):
                result = function(item)
            yield result
        return
    left = dict(enumerate(items))
    for death in range(1, _DEATHS + 1):
        try:
            with joblib.parallel_config("loky", inner_max_num_threads=threads):
                parallel = joblib.Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")
                calls = [joblib.delayed(_call)(function, number, item, threads) for number, item in left.items()]
                for number, result in parallel(calls):
                    del left[number]
                    yield result
            return
        except TerminatedWorkerError as error:
            if death == _DEATHS:
                raise ConSinGANError(
                    f"Worker processes were killed {death} times, as they are when memory runs out: start the same "
                    "command again with fewer --jobs, and it goes on where it was."
                ) from error


def _call(function: Callable[[Item], Result], number: int, item: Item, threads: int) -> tuple[int, Result]:
    with _threads(threads):
        return number, function(item)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
