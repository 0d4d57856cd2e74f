"""The same function for many items: in this process, in several, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from monai_consingan.errors import ConSinGANError

__all__ = ["BACKENDS", "Workers", "start_workers"]

BACKENDS = ("loky", "dask", "ray")
"""Where processes are: on this machine, or on a cluster of Dask or Ray."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_DEATHS = 3


@dataclass(frozen=True)
class Workers:
    """Processes that call a function for many items.

    Every call computes with the same number of threads, however many processes there are, so that its result does not
    depend on their number.

    Args:
        count: how many calls are made at once; -1 for as many as the cluster has workers.
        threads: threads of each.
        return_as: how joblib hands over the results.
        killed: the error that tells of a process that was killed; ``None`` where all is done in this process.
    """

    count: int
    threads: int
    return_as: str = "list"
    killed: type[BaseException] | None = None

    def each(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Call a function for every item; results come as they are ready.

        If a process is killed, all items without a result are done again; the function has to notice what was done.

        Args:
            function: the function, which can be pickled if there are several processes.
            items: the items.

        Raises:
            ConSinGANError: processes are killed again and again.
        """
        left = dict(enumerate(items))
        if self.killed is None:
            for number, item in left.items():
                yield _call(function, number, item, self.threads)[1]
            return
        for death in range(1, _DEATHS + 1):
            try:
                parallel = joblib.Parallel(n_jobs=self.count, batch_size=1, return_as=self.return_as)
                calls = [joblib.delayed(_call)(function, number, item, self.threads) for number, item in left.items()]
                for number, result in parallel(calls) if calls else ():
                    del left[number]
                    yield result
                return
            except self.killed as error:
                if death == _DEATHS:
                    raise ConSinGANError(
                        f"Worker processes were killed {death} times, as they are when memory runs out: start the same "
                        "command again with fewer --jobs, and it goes on where it was."
                    ) from error


@contextmanager
def start_workers(
    jobs: int = 1, threads: int = 1, backend: str = "loky", address: str | None = None, gpus: float = 0.0
) -> Iterator[Workers]:
    """Start processes, or find those of a cluster, and end those that were started.

    Args:
        jobs: number of processes; 1 stays in this one, unless the backend is another. Of a cluster that runs already
            all workers are used, which should have one thread each.
        threads: threads of each.
        backend: one of :py:data:`BACKENDS`.
        address: address of a cluster of Dask or Ray that runs already; ``None`` starts one on this machine.
        gpus: GPUs that Ray gives to each process, and shows to it alone; shares, such as 0.5, are possible.

    Raises:
        ConSinGANError: the backend's package is not there, no cluster answers, or no node of it has the GPUs.
    """
    with ExitStack() as stack:
        if backend == "dask":
            dask = _library("distributed", backend)
            if address is None:
                local = dask.LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
                address = stack.enter_context(local)
            try:
                stack.enter_context(dask.Client(address))
            except OSError as error:
                raise _unreachable(address, error) from error
            stack.enter_context(joblib.parallel_config("dask"))
            yield Workers(-1, threads, "generator_unordered", dask.KilledWorker)
        elif backend == "ray":
            ray = _library("ray", backend)
            options: dict[str, Any] = {"num_cpus": jobs, "include_dashboard": False} if address is None else {}
            if not ray.is_initialized():
                try:
                    ray.init(address or "local", log_to_driver=False, **options)
                except (ConnectionError, RuntimeError, ValueError) as error:
                    raise _unreachable(address, error) from error
                stack.callback(ray.shutdown)
            tasks = import_module("monai_consingan.workflows.augmentation.ray_tasks")
            stack.enter_context(joblib.parallel_config(tasks.RayTasks(gpus, _DEATHS - 1)))
            yield Workers(-1, threads, "generator_unordered", ray.exceptions.WorkerCrashedError)
        elif jobs == 1:
            yield Workers(1, threads)
        else:
            stack.enter_context(joblib.parallel_config("loky", inner_max_num_threads=threads))
            yield Workers(jobs, threads, "generator_unordered", TerminatedWorkerError)


def _library(name: str, backend: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConSinGANError(
            f"backend is {backend!r}, which needs the package {name}: install monai-consingan[{backend}]."
        ) from error


def _unreachable(address: str | None, error: Exception) -> ConSinGANError:
    return ConSinGANError(f"address is {address!r}, but no cluster answers there ({error}): start one, or check it.")


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
