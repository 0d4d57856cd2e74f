"""Both tasks on the packaged scan, with one page that shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan.arrays import as_array, spacing_of, wrap_like
from monai_consingan.data import example, file_sha256, load_label, load_scan
from monai_consingan.distance import ball_diameter
from monai_consingan.figures import ReportSection, write_reports
from monai_consingan.figures.lesion_card import save_cards
from monai_consingan.methods import FILLINGS
from monai_consingan.settings import TrainingSettings, preset_settings
from monai_consingan.workflows.harmonize import LesionSource, harmonize
from monai_consingan.workflows.outputs import output_folder, refuse_links, shown_number
from monai_consingan.workflows.remove import LesionTarget, remove
from monai_consingan.workflows.review import CARDS, ReviewEntry, write_review

PAGE = "report.html"
DONOR_SLICE, HOST_SLICE = 4, 6

_TEXT = """
Both results were made from one real MR scan, which comes with the package, by models that were trained for this page
and on this scan alone.

Grey images share one scale, except the donor. The lower row enlarges the dashed boxes. Everything outside the outlined
altered region has exactly the bits of the scan.
"""

_INSERT = """
The lesion of slice {donor} was copied to slice {host}, which has none. Its place was found automatically: inside the
head, away from its surface and from other lesions, in tissue like that around the lesion in its own slice. The naive
image is the mere copy. For the result the lesion was blended in first, along a border that shows least, and with the
texture of this slice. Then a ConSinGAN, a small generative network that was trained on slice {host} alone, and so knows
how this tissue looks and nothing else, redrew what lies around the lesion.
"""

_REMOVE = """
The lesion of slice {donor} was taken out. First it was filled (naive) {how}. A second ConSinGAN, trained on healthy
tissue of this scan, then redrew the filled place, so that its border no longer shows.
"""


def demo(
    output: str | Path,
    *,
    overwrite: bool = False,
    seed: int = 0,
    progress: bool = True,
    settings: Mapping[str, TrainingSettings] | None = None,
) -> Path:
    """Put a lesion in and take one out, on the packaged scan, and write a page about it.

    Args:
        output: folder for ``insert/`` (:py:func:`monai_consingan.workflows.harmonize`), ``remove/``
            (:py:func:`monai_consingan.workflows.remove`), ``report.html``, ``report.pdf`` and
            ``review.html``.
        overwrite: whether the folder may hold something already. An earlier demo stays until the new one is whole.
        seed: seed of everything random.
        progress: whether to show progress on the standard error stream.
        settings: settings by task, instead of the preset ``quick``.

    Returns:
        The page.

    Raises:
        ConSinGANError: the folder cannot be used.
    """
    output = Path(output)
    files = example()
    chosen = {task: preset_settings("quick", task) for task in ("harmonization", "editing")} | dict(settings or {})
    with output_folder(output, overwrite=overwrite) as folder:
        refuse_links(output)
        inserted = harmonize(
            LesionSource(files.image, files.image, files.label, donor_slice=DONOR_SLICE, host_slice=HOST_SLICE),
            folder / "insert",
            method="tissue-consingan",
            settings=chosen["harmonization"],
            seed=seed,
            progress=progress,
        )
        removed = remove(
            LesionTarget(files.image, files.label, slice_index=DONOR_SLICE),
            folder / "remove",
            settings=chosen["editing"],
            seed=seed,
            progress=progress,
        )
        _write_page(folder, inserted, removed)
        _write_review(folder, {"insert": inserted, "remove": removed})
    return output / PAGE


def _words(methods: str) -> str:
    """How lesions were filled, in words."""
    return " and ".join(FILLINGS[method].words for method in methods.split(", "))


def _write_page(folder: Path, inserted: Mapping[str, Any], removed: Mapping[str, Any]) -> None:
    names = {"donor": DONOR_SLICE, "host": HOST_SLICE, "how": _words(removed["placement"]["how"])}
    sections = [
        ReportSection(
            "A lesion put in",
            _INSERT.format(**names),
            _table(
                inserted,
                "brightness of the lesion relative to the tissue around it, as a fraction of the donor's; 1 is all",
            ),
            folder / "insert" / "figure.png",
            "Donor, host, naive copy, result, and the result minus the host.",
        ),
        ReportSection(
            "A lesion taken out",
            _REMOVE.format(**names),
            _table(removed, "what is left of the lesion's brightness relative to the tissue around it; 0 is nothing"),
            folder / "remove" / "figure.png",
            "Scan, naive filling, result, and the result minus the scan.",
        ),
        ReportSection("Where the scan comes from", _source_text()),
    ]
    write_reports(folder / PAGE, title="Brain metastases put in and taken out", text=_TEXT, sections=sections)


def _write_review(folder: Path, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """The same two lesions on the page that larger runs are looked at on."""
    scan = load_scan(example().image)
    old = as_array(load_label(example().label, image=scan)) > 0
    entries = []
    for part, report in reports.items():
        (image,) = (folder / part).glob("image.*")
        result = load_scan(image)
        new = as_array(load_label(folder / part / image.name.replace("image", "label"), image=result)) > 0
        mask = wrap_like((new != old).astype(np.uint8), scan)
        save_cards(folder / CARDS, part, 1, before=scan, after=result, mask=mask)
        numbers = {name: float(report[name]) for name in ("contrast_kept", "seam")}
        kind = "put in" if part == "insert" else "taken out"
        numbers["diameter_mm"] = ball_diameter(float(mask.sum() * math.prod(spacing_of(scan))), 3)
        donor = "example" if part == "insert" else ""
        entries.append(
            ReviewEntry(part, 1, kind, "example", donor, numbers=numbers, warnings=tuple(report["warnings"]))
        )
    results = [file_sha256(path) for path in sorted((folder / CARDS).iterdir())]
    run = sha256("".join(results).encode()).hexdigest()  # another demo has other decisions
    write_review(folder, run, entries, title="The lesions of the demo to look at")


def _source_text() -> str:
    """The text that comes with the scan, its underlines as ends of paragraphs."""
    lines = example().source.read_text(encoding="utf-8").splitlines()
    return "\n".join("" if line and set(line) <= set("=-") else line for line in lines)


def _table(report: Mapping[str, Any], contrast: str) -> list[list[object]]:
    def measure(name: str) -> list[object]:
        """A measure of the mere paste and of the result."""
        return [shown_number(report[key], 3, "not measurable") for key in (f"{name}_naive", name)]

    seam = "step of intensity across the lesion's border, as a multiple of the steps in the tissue around; 1 is none"
    settings = report["settings"]
    training = f"{settings['stages']} stages of {settings['iterations']} iterations, {settings['channels']} filters"
    return [
        ["", "naive", "result", "meaning"],
        ["contrast kept", *measure("contrast_kept"), contrast],
        ["seam", *measure("seam"), seam],
        ["training", "", f"{report['seconds_training']:.0f} s", f"time to train the model: {training}"],
        ["all", "", f"{report['seconds']:.0f} s", "time of this part in all"],
        ["seed", "", str(report["seed"]), "the same seed gives the same images"],
    ]
