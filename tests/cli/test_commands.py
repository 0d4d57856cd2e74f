from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import nibabel as nib
import numpy as np
import pytest

from monai_consingan import __version__
from monai_consingan.cli import main
from monai_consingan.cli.options import PRESET_NAMES
from monai_consingan.cli.results import runs_of_numbers
from monai_consingan.data import example, load_label, load_scan
from monai_consingan.methods import REMOVAL_BLEND
from monai_consingan.models import HostModels
from monai_consingan.settings import PRESETS, TrainingSettings

SMALL = ["--stages", "2", "--iterations", "2", "--channels", "4"]
TRAINING = (
    "--region --preset --stages --min-size --iterations --channels --lr-scale --concurrent-stages --seed --device"
)
CLUSTER = "--quiet --jobs --threads --shard --backend --address"
LESION = (
    "--host --donor --donor-label --host-label --lesion-labels --donor-slice --host-slice --axis --at --offset --match "
    "--sequences --lead --resample"
)
OPTIONS = {
    "augment": "--output --per-scan --lesions --method --on-failure --sizes --location --edge --clearance --flip "
    "--rotate --scale --match --attempts --contrast --seam-margin --channel --lesion-mask --lesion-labels --axis "
    f"--model --bank --crops --side --composite --dilation --softness {TRAINING} {CLUSTER} --sequences --lead",
    "twins": "--output --method --on-failure --filling --margin --most-contrast --most-seam --channel --lesion-mask "
    f"--lesion-labels --axis --model --bank --crops --side --composite {TRAINING} {CLUSTER} --sequences --lead",
    "merge": "--quiet",
    "keep": "--decisions --unsure --rest --quiet",
    "reading": "--real --output --number --seed --overwrite --score --key",
    "challenge": "--output --per-scan --lesions --method --on-failure --sizes --twins --jobs --quiet "
    "--lesion-labels --axis --dims --sequences --channel --lesion-mask",
    "lesions": "--output --number --diameter --method --kind --oedema --lead --lesion-labels --channel --lesion-mask "
    "--seed --quiet",
    "nnunet": "--trainer-folder",
    "demo": "--output --overwrite --seed",
    "harmonize": f"{LESION} --method --composite --model --bank --output {TRAINING} --overwrite --quiet",
    "remove": "--image --label --lesion-labels --slice --axis --method --symmetry --composite --model --bank --output "
    f"{TRAINING} --overwrite --quiet --sequences --lead --resample",
    "paste": f"{LESION} --seed --output --overwrite --quiet",
    "train": f"--task --output --resume --slice --axis --model --fine-tune {TRAINING} --overwrite --quiet",
    "evaluate": "REAL SYNTHETIC --results --output --originals --inception --dims --frd --max-slices --axis --seed "
    "--device --overwrite --quiet",
    "reproduce": "DATASET --output --settings --slices --iterations --channels --inception --dims --seed --device "
    "--quiet",
    "bank": f"--output --task --label --crops --side --start --axis {TRAINING} --quiet",
    "cohort": f"--output --task --crops --side --held-out --each-fold --lesion-labels --sequences --channel "
    f"--lesion-mask --resume --axis --dims {TRAINING} --overwrite --quiet",
    "paint-to-image": "--output --count --seed --quiet --overwrite",
    "super-resolution": "--output --factor --seed --quiet --overwrite",
    "sample": "--output --count --scale --size --animate --frames --start-scale --seed --overwrite",
}


def test_help_names_every_option(call: Any) -> None:
    assert sorted(main.commands) == sorted(OPTIONS)  # type: ignore[attr-defined]
    for command, options in OPTIONS.items():
        result = call(command, "--help")
        assert result.exit_code == 0
        for option in options.split():
            assert re.search(rf"{option}\b", result.output), (command, option)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_list_of_commands_says_what_their_own_help_says(name: str) -> None:
    listed = main.commands[name]  # type: ignore[attr-defined]
    given, command, rest = main.resolve_command(click.Context(main), [name, "--x"])  # type: ignore[attr-defined]
    assert (given, command.name, rest) == (name, name, ["--x"]) and command.params
    assert listed.get_short_help_str(10**4) == command.get_short_help_str(10**4) == listed.help


def test_help_and_version_import_nothing_heavy() -> None:
    code = f"""
import runpy, sys
for command in {[[], *[[name] for name in OPTIONS]]!r}:
    for flag in ("--help", "--version") if not command else ("--help",):
        sys.argv = ["monai-consingan", *command, flag]
        try:
            runpy.run_module("monai_consingan", run_name="__main__")
        except SystemExit as end:
            assert end.code == 0, command
heavy = {{"torch", "monai", "numpy", "nibabel", "matplotlib", "scipy", "skimage", "ignite"}} & set(sys.modules)
print("heavy:", sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert f"version {__version__}" in done.stdout


def test_help_names_the_presets() -> None:
    names = PRESET_NAMES.replace(" to ", ", ").replace("; as published: ", ", ").split(", ")
    assert set(names) <= set(PRESETS)
    numbered = {re.sub(r"-\d$", "", name) for name in PRESETS}
    assert {re.sub(r"-\d$", "", name) for name in names} == numbered


def test_slices_in_a_row_are_said_as_a_range() -> None:
    assert runs_of_numbers([6]) == "6"
    assert runs_of_numbers([3, 7, 8, 9, 11]) == "3, 7 to 9, 11"


def test_harmonize_says_what_it_did(call: Any, insert: list[Any], tmp_path: Path) -> None:
    args = [arg for arg in insert if arg != "--quiet"]
    result = call(*args, "--at", 60, 120, 6, "--composite", "whole", "--dilation", 2, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert f"Lesion inserted: {tmp_path / 'out'}\n" in result.output  # after what is left of the progress bar
    assert 3 <= len(re.findall(r"^  [a-z]", result.output, re.MULTILINE)) <= 6
    assert "voxel (60, 120, 6), slices 6 along axis 2, at\n" in result.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert f"contrast kept {report['contrast_kept']:.2f} (naive 1.00)" in result.output
    assert report["settings"]["blend"]["mode"] == "whole"
    assert report["settings"]["blend"]["dilation_mm"] == 2
    assert (report["settings"]["stages"], report["settings"]["iterations"], report["settings"]["channels"]) == (2, 2, 4)


def test_commands_share_a_bank(call: Any, insert: list[Any], tmp_path: Path) -> None:
    files, bank = example(), tmp_path / "bank"
    remove = ["remove", "--image", files.image, "--label", files.label, "--slice", 4, *SMALL, "--quiet"]
    for command in (insert, remove):
        runs = [tmp_path / f"{command[0]}-{number}" for number in range(2)]
        for run in runs:
            result = call(*command, "--bank", bank, "--output", run)
            assert result.exit_code == 0, result.output
        images = [(run / "image.nii.gz").read_bytes() for run in runs]
        models = [(run / "model.pt").read_bytes() for run in runs]
        assert images[0] == images[1] and models[0] == models[1]
    stored = sorted(path.name for path in bank.iterdir())
    assert len(stored) == 2 and all(name.endswith(".pt") for name in stored)
    both = call(*insert[: insert.index("--stages")], "--bank", bank, "--model", runs[0], "--output", tmp_path / "both")
    assert both.exit_code == 1 and "give one of them" in both.output


def test_bank_is_that_of_the_transforms(call: Any, tmp_path: Path) -> None:
    files, bank = example(), tmp_path / "bank"
    command = ["bank", files.image, "--output", bank, "--crops", 1, "--side", 24, *SMALL]
    for task, more in (("harmonization", []), ("editing", ["--label", files.label])):
        for _ in range(2):
            result = call(*command, "--task", task, *more)
            assert result.exit_code == 0, result.output
            assert f"1 of 1 scans have a model for {task}: {bank}\n" in result.output
        settings = TrainingSettings(task, stages=2, iterations=2, channels=4)
        models = HostModels(bank, task, settings, crops=1, side=24)
        image = load_scan(files.image)
        assert models.find(image, load_label(files.label, image=image)) is not None
    assert len(list(bank.iterdir())) == 2
    missing = call(*command, "--task", "editing")
    assert missing.exit_code == 1 and "for editing give 1." in missing.output


def test_numbers_may_follow_or_be_joined(call: Any, tmp_path: Path) -> None:
    files = example()
    base = ["paste", "--host", files.image, "--donor", files.image, "--donor-label", files.label, "--donor-slice", 4]
    ways = (["--at", 60, 120, 6], ["--at", "60,120,6"], ["--at=60,120,6"], ["--host-slice", 6, "--at", 60, 120])
    for number, way in enumerate(ways):
        result = call(*base, *way, "--lesion-labels", "1", "--output", tmp_path / str(number), "--quiet")
        assert (result.exit_code, result.output) == (0, "")
        report = json.loads((tmp_path / str(number) / "report.json").read_text())
        assert report["placement"]["position"] == [60, 120, 6]
        assert (report["placement"]["lesion"], report["placement"]["lesions"]) == (1, 2)
    row, column, _ = report["placement"]["offset"]
    assert row < 0
    second = ["--donor-slice", 0, "--host-slice", 8, "--lesion", 2, "--output", tmp_path / "second", "--quiet"]
    assert call(*base, *second).exit_code == 0
    report = json.loads((tmp_path / "second" / "report.json").read_text())
    assert report["placement"]["lesion"] == 2
    result = call(*base, "--lesion", "smallest", "--output", tmp_path / "none")
    assert result.exit_code == 1 and "lesion is 'smallest': give largest or random, or a number from 1" in result.output
    result = call(*base, "--host-slice", 6, "--offset", row, column, "--output", tmp_path / "offset")
    assert result.output.startswith(
        f"Lesion pasted: {tmp_path / 'offset'}\n  place         voxel (60, 120, 6), slices 6"
    )


def test_work_in_space(call: Any, tmp_path: Path) -> None:
    files = example()
    given = {
        "paste": ["--host", files.image, "--donor", files.image, "--donor-label", files.label, "--lesion", 2],
        "remove": ["--image", files.image, "--label", files.label],
    }
    for command, options in given.items():
        assert call(command, *options, "--dims", 3, "--output", tmp_path / command).exit_code == 0
        assert json.loads((tmp_path / command / "report.json").read_text())["placement"]["dims"] == 3
        wrong = call(command, *options, "--dims", 3, "--axis", 2, "--output", tmp_path / "none")
        assert wrong.exit_code == 1 and "dims is 3, but axis is 2, which means slices" in wrong.output


def test_remove_says_what_it_did(call: Any, tmp_path: Path) -> None:
    files = example()
    ways = ["--method", "flipud", "--method", "biharmonic", "--symmetry", "0.5", "--margin", 2, "--train-on", "image"]
    result = call(
        "remove",
        "--image",
        files.image,
        "--label",
        files.label,
        "--slice",
        4,
        *ways,
        *SMALL,
        "--output",
        tmp_path / "out",
    )
    assert result.exit_code == 0, result.output
    assert "Lesion removed: " in result.output
    assert "slices 4 along axis 2, flipud" in result.output
    settings = json.loads((tmp_path / "out" / "report.json").read_text())["settings"]
    assert settings["methods"] == ["flipud", "biharmonic"]
    assert (settings["symmetry"], settings["margin_mm"], settings["train_on"]) == (0.5, 2.0, "image")
    assert settings["blend"] == REMOVAL_BLEND.as_dict()


def test_train_and_sample(call: Any, tmp_path: Path) -> None:
    train = ["train", example().image, "--task", "animation", "--slice", 6, "--min-size", 20, "--max-size", 60, *SMALL]
    result = call(*train, "--output", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "1 slices of 60 x 60 pixels" in result.output
    again = call(*train, "--output", tmp_path / "run", "--resume")
    assert (again.exit_code, again.output) == (0, f"{tmp_path / 'run'} is finished already: nothing to do.\n")
    assert call(*train, "--output", tmp_path / "run").exit_code == 1
    moved = call("sample", tmp_path / "run", "--frames", 2)
    assert moved.output.startswith(f"1 drawn: {tmp_path / 'run' / 'samples'}\n")
    still = call(
        "sample", tmp_path / "run" / "model.pt", "--still", "--scale", 1.5, "--count", 2, "--output", tmp_path / "s"
    )
    assert "2 drawn" in still.output
    assert "90 x 90 pixels" in still.output
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "report.json",
        "sample-000.png",
        "sample-001.png",
    ]


def test_warm_start_takes_the_models_settings(call: Any, run_folder: Path, tmp_path: Path) -> None:
    result = call(
        "train", example().image, "--task", "harmonization", "--slice", 7, "--model", run_folder, "--iterations", 1,
        "--output", tmp_path / "run", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "run" / "report.json").read_text())["settings"]
    assert (settings["stages"], settings["channels"], settings["iterations"]) == (2, 4, 1)


def test_model_of_a_run_is_used(call: Any, insert: list[Any], run_folder: Path, tmp_path: Path) -> None:
    args = [arg for arg in insert if arg not in SMALL]
    result = call(*args, "--model", run_folder, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "model" not in [path.stem for path in (tmp_path / "out").iterdir()]


def test_demo_prints_where_its_page_is(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def fake(output: Path, **options: Any) -> Path:
        given.update(options, output=output)
        return output / "report.html"

    monkeypatch.setattr("monai_consingan.workflows.demo.demo", fake)
    result = call("demo", "--output", tmp_path, "--overwrite", "--seed", 3)
    assert result.output == f"Look at {tmp_path / 'report.html'}\n"
    assert given == {"output": tmp_path, "overwrite": True, "seed": 3, "progress": True}


def test_lesions_makes_a_bank(call: Any, refused: Any, tmp_path: Path) -> None:
    away = np.sqrt(sum((g - 16) ** 2 for g in np.mgrid[:32, :32, :32]))
    image = 100 + 5 * np.random.RandomState(0).standard_normal(away.shape) + 100 * (away < 5)
    for name, part in (("image", image.astype(np.float32)), ("label", (away < 5).astype(np.uint8))):
        nib.save(nib.Nifti1Image(part, np.eye(4)), tmp_path / f"{name}.nii.gz")
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"training": [{"image": "image.nii.gz", "label": "label.nii.gz"}]}), encoding="utf-8")
    out = tmp_path / "bank"
    assert "such as 4,12" in refused("lesions", listed, "--diameter", "x", out=out, code=2)
    assert "solid" in refused("lesions", listed, "--kind", "ring", out=out)
    result = call("lesions", listed, "--output", out, "--number", 2, "--diameter", "6,9", "--lead", "0")
    assert result.exit_code == 0, result.output
    assert "2 x solid" in result.output
    assert (out / "lesions.png").is_file()
