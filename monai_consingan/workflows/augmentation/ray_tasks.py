"""Ray as a backend of joblib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import ray
from joblib.parallel import ParallelBackendBase

from monai_consingan.errors import ConSinGANError


class RayTasks(ParallelBackendBase):
    """A backend of joblib whose jobs are tasks of Ray, of one core each.

    Unlike with ``ray.util.joblib``, results come as they are ready, a worker that is killed costs its own task only,
    which Ray does again, and also a single job at a time is done on the cluster.

    Args:
        gpus: GPUs of each task.
        retries: how often a task is done again whose worker was killed.

    Raises:
        ConSinGANError: no node of the cluster has room for a task.
    """

    supports_retrieve_callback = True

    def __init__(self, gpus: float = 0.0, retries: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.places = _places(ray.nodes(), gpus)
        # without a name, so that Ray sends it as it is, and a worker imports what a task needs and no more
        self._task: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=retries)(lambda work: work())

    def effective_n_jobs(self, n_jobs: int) -> int:
        """How many tasks are handed to Ray at once: at least two, as joblib keeps a single one to itself."""
        return max(2, self.places)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None) -> Future[Any]:
        """Hand a task to Ray."""
        future: Future[Any] = self._task.remote(func).future()
        if callback is not None:
            future.add_done_callback(callback)
        return future

    apply_async = submit  # as joblib before 1.5 calls it

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """The result of a task that has ended."""
        return out.result()


def _places(nodes: Sequence[Mapping[str, Any]], gpus: float) -> int:
    """How many tasks of one core and so many GPUs the nodes of a cluster have room for."""
    places = 0
    for resources in (node["Resources"] for node in nodes if node["Alive"]):
        cores = int(resources.get("CPU", 0))
        places += min(cores, int(resources.get("GPU", 0) / gpus)) if gpus else cores
    if not places:
        raise ConSinGANError(
            f"gpus is {gpus:g}, but no node of the Ray cluster has a core and so many GPUs: give fewer, or start nodes "
            "that have."
        )
    return places
