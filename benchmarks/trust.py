"""Whether results can be trusted: nothing changed outside, nothing lost by a kill, nothing mixed, nothing odd let in.

``python benchmarks/trust.py [--quick] [--seed 0]`` takes ten minutes or less, prints how often each was tried and what
failed, and ends with 1 if anything did. All scans are made up.

- voxels: random pastes and removals in the plane and in space, of one and several channels, and from file to file in
  several types of numbers; no voxel outside the alteration mask may change.
- kills: ``train``, ``cohort``, ``harmonize``, ``augment``, ``twins`` and ``lesions`` are killed at a random time,
  started again alike, and must end with the bytes of a run that was let alone.
- pairs: two runs that differ start at once in one folder, which must end as that of one of them.
- hostile: each bad file must end a command with 1 or 2, one sentence, and nothing written.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nibabel as nib
import numpy as np
from _trust_inputs import AFFINE, HOSTILE, head, write_data_set, write_pair
from scipy import ndimage

import monai_consingan.workflows.augmentation  # noqa: F401  so that no fork has to import it
from monai_consingan.cli import main as command
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BLENDS, FILLINGS
from monai_consingan.transforms import PasteLesion, RemoveLesion

SMALL = ["--stages", 2, "--iterations", 6, "--channels", 8, "--min-size", 20, "--max-size", 40]
REACH_MM = 20.0
"""How far from a lesion a blend may reach."""


def start(args: Sequence[Any], log: Path) -> int:
    """Run a command in a fork of this process, which spares the imports; its process number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        command([str(arg) for arg in args])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException as error:
        os.write(2, f"Traceback: {error!r}\n".encode())
    finally:
        os._exit(code)


def wait(pid: int) -> int:
    """The exit code of a process; negative if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a result by their names, without what tells how a run went or what it keeps for itself."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: timeless(item) for key, item in value.items() if not key.startswith("seconds") and key != "resumed"
            }
        return [timeless(item) for item in value] if isinstance(value, list) else value

    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith("."):
            data = path.read_bytes()
            found[name] = json.dumps(timeless(json.loads(data))).encode() if path.suffix == ".json" else data
    return found


def unlike(found: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """The files in which two results differ."""
    return [
        f"{name}{' (missing)' * (name not in found)}{' (left over)' * (name not in wanted)}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]


def commands(folder: Path) -> dict[str, list[Any]]:
    """One call of each command that can be killed, without its output."""
    (host, _), (donor, label) = write_pair(folder, 11), write_pair(folder, 12)
    data = write_data_set(folder / "data")
    return {
        "train": ["train", host, "--task", "editing", "--slice", 3, "--quiet", *SMALL],
        "harmonize": ["harmonize", "--host", host, "--donor", donor, "--donor-label", label, "--quiet", *SMALL],
        "augment": ["augment", data, "--per-scan", 2, "--lesions", "1,1", "--quiet"],
        "twins": ["twins", data, "--quiet"],
        "lesions": ["lesions", data, "--number", 6, "--quiet"],
        "cohort": ["cohort", data, "--crops", 1, "--side", 40, "--quiet", *SMALL],
    }


def kills(count: int, random: np.random.Generator, folder: Path) -> list[str]:
    """Kill each command so often, and start it again."""
    failures = []
    for name, args in commands(folder).items():
        wanted_at, log = folder / f"{name}-whole", folder / "log"
        begin = time.perf_counter()
        if code := wait(start([*args, "--output", wanted_at], log)):
            return [f"{name} ends with {code}: {log.read_text().strip()}"]
        seconds, wanted = time.perf_counter() - begin, contents(wanted_at)
        for number in range(count):
            out = folder / f"{name}-{number}"
            pid = start([*args, "--output", out], log)
            time.sleep(float(random.uniform(0, seconds)))
            os.kill(pid, signal.SIGKILL)
            wait(pid)
            if unlike(contents(out), wanted):
                code = wait(
                    start([*args, *(["--resume"] if name in ("train", "cohort") else []), "--output", out], log)
                )
                if code:
                    failures.append(f"{name}, killed, then ends with {code}: {log.read_text().strip()}")
                    continue
            if odd := unlike(contents(out), wanted):
                failures.append(f"{name}, killed and started again, differs in {', '.join(odd)}")
    return failures


def pairs(count: int, random: np.random.Generator, folder: Path) -> list[str]:
    """Start two runs that differ at once in one folder."""
    (host, host_label), (donor, label) = write_pair(folder, 21), write_pair(folder, 22)
    data = write_data_set(folder / "data")
    insert = ["--host", host, "--donor", donor, "--donor-label", label, "--quiet"]
    kinds: dict[str, list[list[Any]]] = {
        "harmonize": [["harmonize", *insert, "--seed", seed] for seed in (1, 2)],
        "paste": [["paste", *insert, "--seed", seed] for seed in (1, 2)],
        "remove": [["remove", "--image", host, "--label", host_label, "--quiet", "--margin", mm] for mm in (1, 3)],
        "augment": [["augment", data, "--lesions", "1,1", "--quiet", "--seed", seed] for seed in (1, 2)],
    }
    alone: dict[str, list[dict[str, bytes]]] = {}
    failures = []
    for number in range(count):
        name = list(kinds)[number % len(kinds)]
        if name not in alone:
            places = [folder / f"{name}-alone-{n}" for n in range(2)]
            for args, place in zip(kinds[name], places, strict=True):
                if wait(start([*args, "--output", place], folder / "log")):
                    return [f"{name} fails alone: {(folder / 'log').read_text().strip()}"]
            alone[name] = [contents(place) for place in places]
        out = folder / f"{name}-{number}"
        pids = []
        for n, args in enumerate(kinds[name]):
            pids.append(start([*args, "--output", out], folder / f"log{n}"))
            time.sleep(float(random.uniform(0, 0.3)))
        codes, odd = [wait(pid) for pid in pids], [unlike(contents(out), whole) for whole in alone[name]]
        if all(odd) or 0 not in codes:
            failures.append(f"{name}, two at once, end with {codes} and differ in {', '.join(min(odd, key=len))}")
    return failures


def hostile(count: int, random: np.random.Generator, folder: Path) -> list[str]:
    """Give bad files to commands."""
    image, label = write_pair(folder, 31)
    failures = []
    for number in range(count):
        kind = list(HOSTILE)[number % len(HOSTILE)]
        role, make = HOSTILE[kind]
        place = folder / f"case{number}"
        place.mkdir()
        bad, out = make(place, image, random), place / "out"
        given = {"image": image, "label": label, role: bad}
        calls = {
            "data set": [["augment", bad, "--quiet"], ["twins", bad, "--quiet"]],
            "model": [
                ["sample", bad],
                ["harmonize", "--host", image, "--donor", image, "--donor-label", label, "--model", bad],
            ],
        }
        both = [
            ["remove", "--image", given["image"], "--label", given["label"], "--quiet"],
            ["paste", "--host", image, "--donor", given["image"], "--donor-label", given["label"], "--quiet"],
        ]
        args = calls.get(role, both)[int(random.integers(2))]
        before = sorted(place.rglob("*"))
        code = wait(start([*args, "--output", out], folder / "log"))
        lines = (folder / "log").read_text(errors="replace").strip().splitlines()
        if code not in (1, 2) or len(lines) != 1 or not lines[0].startswith("Error: "):
            failures.append(f"{kind}: {args[0]} ends with {code} and {len(lines)} lines: {' / '.join(lines[-2:])}")
        elif sorted(place.rglob("*")) != before:
            failures.append(f"{kind}: {args[0]} leaves files")
    return failures


def voxels(count: int, random: np.random.Generator, folder: Path) -> list[str]:
    """Paste and remove, and look for changes outside of where they may be; one case in ten goes by files."""
    failures, done, refused = [], 0, 0
    while done < count and refused < 2 * count:
        work = _by_files if done % 10 == 9 else _by_arrays
        try:
            told = work(random, folder / f"case{done + refused}")
        except ConSinGANError:  # no place or tissue for it, which is an answer; others have to do
            refused += 1
            continue
        done += 1
        failures += [f"case {done}: {told}"] if told else []
    return failures if done == count else [*failures, f"only {done} cases can be tried, {refused} are refused"]


def _by_arrays(random: np.random.Generator, folder: Path) -> str:
    """2D, slices of a volume, or a volume as a whole, of one to three channels."""
    shape, axis = [((48, 56), None), ((40, 48, 8), 2), ((32, 36, 20), None)][int(random.integers(3))]
    channels, mm = int(random.integers(1, 4)), tuple(random.uniform(0.8, 3, len(shape)))
    hosts, donors = ([head(random, shape) for _ in range(2)] for _ in range(2))
    host = np.stack([hosts[0][0] * (1 + n) for n in range(channels)]).astype(np.float32)
    donor = np.stack([donors[0][0] * (1 + n) for n in range(channels)]).astype(np.float32)
    if random.integers(2):
        blend = str(random.choice(list(BLENDS)))
        done: Any = PasteLesion(blend, axis=axis, spacing=mm)(host, donor, donors[0][1][None])
        distance = ndimage.distance_transform_edt(np.asarray(done.mask)[0] == 0, sampling=mm)
        allowed, what = distance <= (0 if blend == "hard" else REACH_MM), f"paste, {blend}"
    else:
        filling = str(random.choice(list(FILLINGS)))
        done = RemoveLesion(filling, axis=axis, spacing=mm)(host, hosts[0][1][None])
        allowed, what = np.asarray(done.mask)[0] > 0, f"remove, {filling}"
    changed = int(((np.asarray(done.image) != host).any(0) & ~allowed).sum())
    return f"{what}, {shape}, {channels} channels: {changed} voxels" if changed else ""


def _by_files(random: np.random.Generator, folder: Path) -> str:
    """From a file of any type of numbers to the files of a result."""
    folder.mkdir()
    image, label = head(random)
    kind = [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64][int(random.integers(6))]
    scan = nib.Nifti1Image((image / 8 if kind == np.uint8 else image).astype(kind), AFFINE)
    if random.integers(2):
        scan.header.set_slope_inter(float(random.uniform(0.01, 3)), float(random.uniform(-5, 5)))
    nib.save(scan, folder / "scan.nii.gz")
    nib.save(nib.Nifti1Image(label, AFFINE), folder / "label.nii.gz")
    given = [folder / "scan.nii.gz", folder / "label.nii.gz"]
    insert = ["--host", given[0], "--donor", given[0], "--donor-label", given[1]]
    args = [["harmonize", *insert], ["paste", *insert], ["remove", "--image", given[0], "--label", given[1]]]
    chosen = args[int(random.integers(3))]
    if wait(start([*chosen, "--quiet", "--output", folder / "out"], folder / "log")):
        raise ConSinGANError((folder / "log").read_text())
    stored = [nib.load(path).dataobj.get_unscaled() for path in (given[0], folder / "out" / "image.nii.gz")]
    free = np.asarray(nib.load(folder / "out" / "alteration.nii.gz").dataobj) == 0
    changed = int((stored[0] != stored[1])[free].sum())
    return f"{chosen[0]} of {np.dtype(kind)}: {changed} stored numbers" if changed else ""


PARTS: dict[str, tuple[Callable[..., list[str]], int, int]] = {
    "kills": (kills, 10, 1),
    "pairs": (pairs, 24, 4),
    "hostile": (hostile, 3 * len(HOSTILE), len(HOSTILE)),
    "voxels": (voxels, 600, 40),
}
"""What is tried, and how often; less often with ``--quick``. Kills are of each command."""


def trust(counts: dict[str, int], seed: int = 0) -> int:
    """Try all, print what came of it, and return the number of failures."""
    total = 0
    for part, count in counts.items():
        begin = time.perf_counter()
        with TemporaryDirectory() as folder:
            failures = PARTS[part][0](count, np.random.default_rng(seed), Path(folder))
        tried = 6 * count if part == "kills" else count
        print(f"{part:8} n = {tried:4}, failures = {len(failures)} ({time.perf_counter() - begin:.0f} s)", flush=True)
        for failure in failures:
            print(f"  {failure}", flush=True)
        total += len(failures)
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="try all less often")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(PARTS), nargs="+", default=list(PARTS))
    given = parser.parse_args()
    chosen = {name: PARTS[name][2 if given.quick else 1] for name in given.only}
    sys.exit(1 if trust(chosen, given.seed) else 0)
