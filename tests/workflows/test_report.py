from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np

from monai_consingan.data import example
from monai_consingan.workflows import LesionSource, harmonize
from monai_consingan.workflows.report import describe_inputs, versions, write_report


def test_report_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_report(
        path,
        {
            "numbers": [np.int64(3), np.float32(0.5), 1 / 3, True, None],
            "odd": {"nan": math.nan, "infinite": np.float64(np.inf)},
            "array": np.arange(3),
            "tuple": (range(2), "text"),
            "path": Path("/home/somebody/scan.nii.gz"),
            4: "key",
        },
    )
    assert json.loads(path.read_text()) == {
        "numbers": [3, 0.5, 0.333333, True, None],
        "odd": {"nan": None, "infinite": None},
        "array": [0, 1, 2],
        "tuple": [[0, 1], "text"],
        "path": "scan.nii.gz",
        "4": "key",
    }


def test_inputs_are_named_without_their_folders(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").write_bytes(b"numbers")
    described = describe_inputs({"host": tmp_path / "scan.nii", "host_label": None})
    assert described == {"host": {"file": "scan.nii", "sha256": hashlib.sha256(b"numbers").hexdigest()}}


def test_versions_name_what_numbers_depend_on() -> None:
    assert {"python", "torch", "monai", "numpy", "monai-consingan"} <= set(versions())


def test_every_input_is_read_once(tmp_path: Path) -> None:
    files = example()
    host = tmp_path / "host.nii.gz"
    shutil.copy(files.image, host)
    opened = []
    sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" and args[0] == str(host) else None)
    report = harmonize(LesionSource(host, host, files.label, donor_slice=4, host_slice=6), tmp_path / "out")
    assert opened.count(str(host)) == 1
    assert report["inputs"]["host"]["sha256"] == hashlib.sha256(host.read_bytes()).hexdigest()
    assert report["inputs"]["donor"] == report["inputs"]["host"]
