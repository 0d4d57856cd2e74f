"""Real clusters of Dask and Ray on this machine: one of each for all tests, which is joined by its address."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import joblib
import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import AugmentSettings, augment
from monai_consingan.workflows.augmentation.workers import Execution, start_workers

pytestmark = pytest.mark.timeout(900)  # processes that start import much, which takes long on a busy machine
DASK, RAY = (pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("dask", "ray"))  # a process for each


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def dask_cluster() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@contextmanager
def ray_cluster() -> Iterator[str]:
    """Two cores, and two GPUs that are not there."""
    pytest.importorskip("ray")
    port = free_port()
    place = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # sockets' paths have to be short
    options = {
        "port": port,
        "node-ip-address": "127.0.0.1",
        "num-cpus": 2,
        "num-gpus": 2,
        "ray-client-server-port": free_port(),
        "include-dashboard": "false",
        "temp-dir": place,
    }
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"]
    command += [f"--{key}={value}" for key, value in options.items()]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONUNBUFFERED": "1"}
    with (place / "log").open("w") as log:
        node = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        while "Ray runtime started" not in (place / "log").read_text():
            if node.poll() is not None:
                pytest.fail((place / "log").read_text())
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        node.terminate()
        node.wait()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A backend, and the address of its cluster."""
    with {"dask": dask_cluster, "ray": ray_cluster}[request.param]() as address:
        yield request.param, address


class Killer(threading.Thread):
    """Kills a process in the middle of the first scan that it makes.

    Args:
        out: the output folder.
    """

    def __init__(self, out: Path) -> None:
        super().__init__(daemon=True)
        self.out = out
        self.killed = ""

    def run(self) -> None:
        while not self.killed:
            for place in (self.out / ".augment" / "tmp").glob("*"):
                os.kill(int(place.name.split(".")[-2]), signal.SIGKILL)
                self.killed = place.name
                return
            time.sleep(0.002)


@pytest.mark.parametrize("cluster", [DASK, RAY], indirect=True)
def test_a_worker_is_killed_in_mid_job(
    cluster: tuple[str, str],
    augmented: tuple[Path, dict[str, Any]],
    data_set: Path,
    tmp_path: Path,
    quick: AugmentSettings,
    tree: Any,
) -> None:
    backend, address = cluster
    killer = Killer(tmp_path / "out")
    killer.start()
    assert augment(data_set, tmp_path / "out", quick, backend=backend, address=address) == augmented[1]
    assert killer.killed
    assert not killer.is_alive()
    assert tree(tmp_path / "out") == tree(augmented[0])


def gpus(number: int) -> tuple[int, str]:
    return number, os.environ.get("CUDA_VISIBLE_DEVICES", "")


@pytest.mark.parametrize("cluster", [RAY], indirect=True)
def test_gpus_of_a_ray_cluster(
    cluster: tuple[str, str], data_set: Path, tmp_path: Path, quick: AugmentSettings
) -> None:
    import ray

    from monai_consingan.workflows.augmentation.ray_tasks import RayTasks

    backend, address = cluster
    ray.init(address, log_to_driver=False)
    try:
        for wanted, shown in ((2, {"0,1"}), (1, {"0", "1"})):
            with joblib.parallel_config(RayTasks(wanted)):
                calls = [joblib.delayed(os.getenv)("CUDA_VISIBLE_DEVICES", "") for _ in range(3)]
                found = joblib.Parallel(n_jobs=-1, return_as="generator_unordered")(calls)
                assert {*found} <= shown
        assert (RayTasks(2).places, RayTasks(1).places, RayTasks(0.25).places, RayTasks().places) == (1, 2, 2, 2)
        with pytest.raises(ConSinGANError, match="gpus is 3, but no node"):
            augment(data_set, tmp_path / "out", quick, backend=backend, address=address, gpus=3)
        assert ray.is_initialized()  # it was not ours to end
    finally:
        ray.shutdown()


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("backend", [DASK, RAY])
def test_a_cluster_of_its_own(backend: str) -> None:
    pytest.importorskip({"dask": "distributed"}.get(backend, backend))
    with start_workers(Execution(jobs=2, backend=backend)) as workers:
        assert sorted(workers.each(double, [3, 1, 2])) == [2, 4, 6]
