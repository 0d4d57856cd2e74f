"""Small runs on the packaged scan that several tests look at."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import example
from monai_consingan.workflows import LesionSource, LesionTarget, harmonize, remove

Run = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="session")
def source() -> LesionSource:
    """The tumour of slice 4 goes to slice 6 of the same scan."""
    files = example()
    return LesionSource(files.image, files.image, files.label, donor_slice=4, host_slice=6)


@pytest.fixture(scope="session")
def inserted(tmp_path_factory: pytest.TempPathFactory, source: LesionSource, tiny: Any) -> Run:
    folder = tmp_path_factory.mktemp("inserted") / "out"
    return folder, harmonize(source, folder, settings=tiny("harmonization"), seed=1)


@pytest.fixture(scope="session")
def removed(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> Run:
    folder = tmp_path_factory.mktemp("removed") / "out"
    target = LesionTarget(example().image, example().label, slice_index=4)
    return folder, remove(target, folder, settings=tiny("editing"), seed=1)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write an array as NIfTI."""

    def write(name: str, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
        path = tmp_path / name
        nib.save(nib.Nifti1Image(array, nib.load(example().image).affine if affine is None else affine), path)
        return path

    return write


@pytest.fixture(scope="session")
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Stored numbers of the packaged scan and of its label."""
    return tuple(np.asarray(nib.load(path).dataobj) for path in (example().image, example().label))  # type: ignore[return-value]


KILLED = """
import os, signal, sys
from monai_consingan.data import example
from monai_consingan.engines import TrainingCheckpoint
from monai_consingan.workflows import LesionSource, TrainingSettings, harmonize
from monai_consingan.workflows.train import train_run

def save_and_die(self, engine, save=TrainingCheckpoint.__call__):
    save(self, engine)
    os.kill(os.getpid(), signal.SIGKILL)

TrainingCheckpoint.__call__ = save_and_die
files = example()
source = LesionSource(files.image, files.image, files.label, donor_slice=4, host_slice=6)
small = {"stages": 2, "iterations": 2, "channels": 4}
for task in (
    lambda: harmonize(source, "harmonize", settings=TrainingSettings("harmonization", **small), seed=1),
    lambda: train_run(
        [files.image], "train", task="generation", settings=TrainingSettings("generation", **small), slices=[6, 7]
    ),
):
    child = os.fork()
    if child == 0:
        task()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended != -signal.SIGKILL:
        sys.exit(f"ended with {ended}")
"""


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the runs ``harmonize`` and ``train``, killed (SIGKILL) after their first stage."""
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", KILLED], cwd=folder, check=True, env={**os.environ, **_importable()})
    return folder


def _importable() -> dict[str, str]:
    """The package's place, for tests of a checkout that is not installed."""
    import monai_consingan

    places = [str(Path(monai_consingan.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(place for place in places if place)}


@contextmanager
def _full_disk() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (26_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """``with full_disk():`` no file can grow beyond 26 kB; no longer than that, as pytest's own output may be one."""
    return _full_disk


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; tests that take it belong to the xdist group "browser"."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"]
        with started.chromium.launch(executable_path=chromium, args=flags) as found:
            yield found


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[[Path], Any]]:
    """Opens a file in a window whose store is kept: on a busy machine Chromium loses what one in thirty stores."""
    context = browser.new_context(accept_downloads=True)

    def opened(path: Path) -> Any:
        for _ in range(5):
            page = context.new_page()
            page.goto(path.as_uri())
            page.evaluate("localStorage.setItem('kept', 'yes')")
            page.reload()
            if page.evaluate("localStorage.getItem('kept')") == "yes":
                break
            page.close()
        page.evaluate("localStorage.clear()")
        page.reload()
        return page

    yield opened
    context.close()
