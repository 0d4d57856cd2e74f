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

from monai_consingan.data_set_settings import BACKENDS
from monai_consingan.errors import ConSinGANError, check_least
from monai_consingan.models.training import check_device

Item = TypeVar("Item")
Result = TypeVar("Result")

_DEATHS = 3


@dataclass(frozen=True)
class Execution:
    """How the work of a run is done, on which its result does not depend.

    Args:
        device: where to train.
        jobs: number of processes; 1 stays in this one, unless the backend is another.
        threads: threads of each. The results may depend on it in the last bits.
        shard: which part of the work to do, such as (1, 4), the first of four; ``None`` does all.
        progress: whether to show progress on the standard error stream.
        backend: where the processes are: ``"loky"``, on this machine, ``"dask"`` or ``"ray"``, which are packages of
            their own.
        address: address of a cluster that runs already, all of whose workers are used; they have one thread each, and
            see the data set and the output under the same paths. ``None`` starts one on this machine.
        gpus: GPUs that each process gets from Ray, which shows it no other; shares, such as 0.5, are possible. The
            device ``"cpu"`` then stands for ``"cuda"``.

    Raises:
        ConSinGANError: a number is out of range, or the device is not there.
    """

    device: str = "cpu"
    jobs: int = 1
    threads: int = 1
    shard: tuple[int, int] | None = None
    progress: bool = False
    backend: str = "loky"
    address: str | None = None
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.gpus and self.device == "cpu":
            object.__setattr__(self, "device", "cuda")
        if self.backend == "loky":  # else the workers are asked, as this machine may have other devices
            check_device(self.device)
        check_least(1, jobs=self.jobs, threads=self.threads)
        if self.backend not in BACKENDS or (self.backend == "loky" and self.address is not None):
            raise ConSinGANError(
                f"backend is {self.backend!r} and address {self.address!r}: give one of {', '.join(BACKENDS)}, and an "
                "address with dask or ray only."
            )
        if not 0 <= self.gpus < float("inf") or (self.gpus and self.backend != "ray"):
            raise ConSinGANError(f"gpus is {self.gpus:g} and backend {self.backend!r}: give 0, or more and ray.")
        number, parts = self.shard or (1, 1)
        if not 1 <= number <= parts:
            raise ConSinGANError(f"shard is {number}/{parts}: give one of 1/{parts} to {parts}/{parts}.")

    def part(self, items: Sequence[Item]) -> list[Item]:
        """The items that are in this part of the work."""
        number, parts = self.shard or (1, 1)
        return list(items[number - 1 :: parts])

    def turned(self, items: Sequence[Item]) -> list[Item]:
        """All items, so that parts which start together begin with different ones."""
        number, parts = self.shard or (1, 1)
        start = (number - 1) * len(items) // parts
        return [*items[start:], *items[:start]]


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
def start_workers(how: Execution) -> Iterator[Workers]:
    """Start processes, or find those of a cluster, and end those that were started.

    Args:
        how: how many, and where.

    Raises:
        ConSinGANError: the backend's package is not there, no cluster answers, or no node of it has the GPUs.
    """
    jobs, threads, backend, address = how.jobs, how.threads, how.backend, how.address
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
            stack.enter_context(joblib.parallel_config(tasks.RayTasks(how.gpus, _DEATHS - 1)))
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
