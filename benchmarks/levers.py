"""What makes a training shorter, and what that costs the result: every option against the preset ``quick``.

The same lesions are inserted with each option, the options in turns for every lesion; time is the median ratio to that
of the preset, measures are medians over the lesions. ``python benchmarks/levers.py [--cases N] [--json FILE]``

The lesions are those of the packaged scan, moved between its slices, or one of your own (``--host``, ``--donor``,
``--donor-label``).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from _command import command_line, write_json
from _measure import table

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.settings import preset_settings
from monai_consingan.workflows import LesionSource, harmonize

SLICES = ((4, 6), (2, 8), (3, 7), (1, 6), (4, 8), (2, 6))
"""Slices of the packaged scan: of the lesion, and of where it goes."""
METHOD = "consingan-band"
"""Of the methods with a model, one that shows what a model makes of the lesion's border."""
LEVERS: dict[str, dict[str, Any]] = {
    "quick": {},
    "16 filters": {"channels": 16},
    "64 filters": {"channels": 64},
    "100 iterations": {"iterations": 100},
    "50 iterations": {"iterations": 50},
    "stages end when settled (0.05)": {"settle": 0.05},
    "1 discriminator step": {"discriminator_steps": 1},
    "region of 64 pixels": {"max_size": 64},
    "2 stages": {"stages": 2},
    "bf16 (autocast)": {"precision": "bf16"},
    "start from another slice, 50 iterations": {"iterations": 50, "start": True},
    "model of another slice, no training": {"model": True},
}
MEASURES = ("contrast_kept", "rim_core_kept", "size_kept", "seam")


def insert(source: LesionSource, folder: Path, lever: dict[str, Any], neighbour: Path) -> dict[str, Any]:
    """Report of an insertion with an option."""
    changes = {name: value for name, value in lever.items() if name not in ("start", "model")}
    return harmonize(
        source,
        folder,
        method=METHOD,
        settings=None if "model" in lever else preset_settings("quick", "harmonization", **changes),
        model=neighbour if "model" in lever else None,
        start=neighbour if "start" in lever else None,
        overwrite=True,
    )


def measure(sources: list[LesionSource], neighbour: LesionSource, names: list[str]) -> list[dict[str, Any]]:
    """A row for every option."""
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        other = Path(scratch) / "neighbour"
        harmonize(neighbour, other, method=METHOD)
        for number, source in enumerate(sources, 1):
            for name in names:
                try:
                    reports[name].append(insert(source, Path(scratch) / "out", LEVERS[name], other))
                except ConSinGANError as error:
                    print(f"  {name}: {error}", file=sys.stderr)
                else:
                    print(f"  lesion {number} of {len(sources)}, {name}", file=sys.stderr)
    rows = []
    for name, found in reports.items():
        row: dict[str, Any] = {"option": name, "lesions": len(found)}
        pairs = zip(found, reports["quick"], strict=False)
        row["time"] = statistics.median(a["seconds_training"] / b["seconds_training"] for a, b in pairs)
        row |= {measure: statistics.median(report[measure] for report in found) for measure in MEASURES}
        rows.append(row)
    naive = {measure: statistics.median(r[f"{measure}_naive"] for r in reports["quick"]) for measure in MEASURES}
    donor = statistics.median(report["seam_donor"] for report in reports["quick"])
    rows.append({"option": "(naive paste)", "lesions": len(sources), "time": 0.0, **naive})
    rows.append(
        {"option": "(the donor's own lesion)", "lesions": len(sources), "time": 0.0, **dict.fromkeys(MEASURES, 1.0)}
    )
    rows[-1]["seam"] = donor
    return rows


def main() -> None:
    """Run the command."""
    parser = command_line(__doc__, "json")
    parser.add_argument("--cases", type=int, default=1, help="lesions of the packaged scan, 1 to 6 (default 1)")
    parser.add_argument("--levers", nargs="*", default=list(LEVERS), help="options to measure besides quick")
    parser.add_argument("--host", type=Path, help="a scan of your own that gets the lesion")
    parser.add_argument("--donor", type=Path, help="a scan of your own that the lesion comes from")
    parser.add_argument("--donor-label", type=Path, help="label of its lesions")
    arguments = parser.parse_args()
    files = example()
    pairs = [LesionSource(files.image, files.image, files.label, donor_slice=d, host_slice=h) for d, h in SLICES]
    sources = pairs[: arguments.cases]
    neighbour = LesionSource(files.image, files.image, files.label, donor_slice=3, host_slice=9)
    if arguments.host:
        sources = [LesionSource(arguments.host, arguments.donor, arguments.donor_label)]
    names = ["quick", *[name for name in arguments.levers if name != "quick"]]
    rows = measure(sources, neighbour, names)
    print(table(rows))
    write_json(arguments.json, levers=rows)


if __name__ == "__main__":
    main()
