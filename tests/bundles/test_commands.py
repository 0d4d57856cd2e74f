"""What MONAI users do with a bundle: run, override, resume, merge, verify, export, load, track."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANWarning
from monai_consingan.folder_lock import locked
from monai_consingan.networks import load_generator

from .conftest import SMALL

SCHEMA = Path(__file__).parents[1] / "fixtures" / "meta_schema_20240725.json"

WAYS = (("inputs", "image"), ("outputs", "pred"))


def raw(path: Path) -> np.ndarray:
    """Stored numbers of a NIfTI file."""
    return np.asarray(nib.load(path).dataobj)


def task_of(folder: Path) -> str:
    return folder.name.removeprefix("consingan_")


def weights(path: Path) -> list[torch.Tensor]:
    return list(torch.load(path, weights_only=True).values())


def test_inference_keeps_geometry_and_all_voxels_outside_the_mask(call: Any, folder: Path, trained: Path) -> None:
    call("run", "--config_file", folder / "configs" / "inference.json", "--ckpt_path", trained)
    (results,) = (Path("predictions") / folder.name).iterdir()
    names = {part: results / f"{results.name}_{part}.nii.gz" for part in ("image", "naive", "label", "alteration")}
    assert sorted(results.iterdir()) == sorted(names.values())
    scan = nib.load(example().image)
    for path in names.values():
        assert np.array_equal(nib.load(path).affine, scan.affine)
    assert nib.load(names["image"]).get_data_dtype() == scan.get_data_dtype()
    altered = raw(names["alteration"]) > 0
    assert altered.any()
    assert np.array_equal(raw(names["image"])[~altered], raw(example().image)[~altered])
    assert not np.array_equal(raw(names["image"]), raw(names["naive"]))
    label, before = raw(names["label"]) > 0, raw(example().label) > 0
    assert (label & ~before).any() if task_of(folder) == "harmonization" else (before & ~label).any()


def test_evaluation_writes_its_metrics(call: Any, folder: Path, trained: Path) -> None:
    configs = [str(folder / "configs" / f"{name}.json") for name in ("inference", "evaluate")]
    call("run", "--config_file", str(configs), "--ckpt_path", trained)
    lines = (Path("evaluation") / folder.name / "metrics.csv").read_text().splitlines()
    found = {name: float(value) for name, value in (line.split(",") for line in lines)}
    expected = json.loads((folder / "configs" / "metadata.json").read_text())["eval_metrics"]
    assert found.keys() == expected.keys()
    assert np.isfinite(list(found.values())).all()


def test_several_cases_of_a_datalist(call: Any, folder: Path, trained: Path) -> None:
    section = json.loads((example().image.parent / "datalist.json").read_text())[task_of(folder)]
    path = Path("list.json")
    path.write_text(json.dumps([{**section[0], "case": name} for name in ("first", "second")]))
    config = folder / "configs" / "inference.json"
    call("run", "--config_file", config, "--ckpt_path", trained, "--datalist", path, "--output_dir", "out")
    assert sorted(item.name for item in Path("out").iterdir()) == ["first", "second"]
    assert np.array_equal(raw(Path("out/first/first_image.nii.gz")), raw(Path("out/second/second_image.nii.gz")))


def test_inference_warns_of_a_result_that_does_not_pass(call: Any, folder: Path, trained: Path) -> None:
    """A naive image in which nothing was put in, or nothing removed."""
    files, names = example(), ("image", "host", "lesion")
    lesion = nib.load(files.label)
    if task_of(folder) == "harmonization":
        marks = np.zeros(lesion.shape, np.uint8)
        marks[60:70, 80:90, 7] = 1
        lesion = nib.Nifti1Image(marks, lesion.affine)
    nib.save(lesion, "lesion.nii.gz")
    case = dict(zip(names, (str(files.image), str(files.image), str(Path("lesion.nii.gz").absolute())), strict=True))
    Path("list.json").write_text(json.dumps([{**case, "case": "a"}, {**case, "case": "b"}]))
    configs = [str(folder / "configs" / f"{name}.json") for name in ("inference", "naive")]
    wrong = "visibility is 0" if task_of(folder) == "harmonization" else "contrast kept is"
    with pytest.warns(ConSinGANWarning, match=rf"Case b: the result does not pass its checks: .*{wrong}") as found:
        call("run", "--config_file", str(configs), "--ckpt_path", trained, "--datalist", "list.json")
    assert [str(one.message)[:6] for one in found if one.category is ConSinGANWarning] == ["Case a", "Case b"]
    assert len(list(Path("predictions").rglob("*_image.nii.gz"))) == 2


@pytest.mark.parametrize("config", ["inference", "train"])
def test_one_run_at_a_time_in_a_folder(call: Any, folder: Path, trained: Path, config: str) -> None:
    weights = ["--ckpt_path", trained] if config == "inference" else SMALL
    run = ["run", "--config_file", folder / "configs" / f"{config}.json", *weights, "--output_dir", "out"]
    with locked("out"):
        with pytest.raises(RuntimeError) as refused:
            call(*run)
        assert "out is in use by another run" in str(refused.value.__cause__)
        assert not [*Path("out").rglob("*.nii.gz"), *Path("out").rglob("*.pt")]
    call(*run)
    with locked("out"):
        pass


def test_words_of_monai_and_resuming_end_like_an_uninterrupted_training(call: Any, folder: Path, trained: Path) -> None:
    config = folder / "configs" / "train.json"
    rest = ["--output_dir", "resumed", "--channels", 4, "--device", "cpu", "--stages", 2]
    rest += ["--train#trainer#epoch_length", 2]
    call("run", "--config_file", config, *rest, "--train#trainer#max_epochs", 1)
    cut = weights(Path("resumed/model.pt"))
    assert not all(torch.equal(a, b) for a, b in zip(cut, weights(trained), strict=True))
    call("run", "--config_file", config, *rest, "--resume", "True")
    assert Path("resumed/model.pt").read_bytes() == trained.read_bytes()


def test_another_training_is_not_resumed(call: Any, folder: Path, trained: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        call("run", "--config_file", folder / "configs" / "train.json", *SMALL, "--seed", 1, "--resume", "True")
    causes = []
    error: BaseException | None = caught.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__
    assert "is of a training with other images, settings or seed" in causes[-1]


def test_training_on_whole_slices_needs_no_lesion(call: Any, folder: Path) -> None:
    configs = [str(folder / "configs" / name) for name in ("train.json", "slices.json")]
    call("run", "--config_file", str(configs), *SMALL, "--region", "slice", "--max_size", 64, "--output_dir", "out")
    assert load_generator("out/model.pt", task=task_of(folder)).stage_sizes[-1] == [64, 64]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_published_settings_are_overlays(folder: Path, number: int) -> None:
    from monai_consingan.settings import PRESETS, TrainingSettings

    parser = monai.bundle.ConfigParser()
    parser.read_config([str(folder / "configs" / "train.json"), str(folder / "configs" / f"paper_{number}.json")])
    task = task_of(folder)
    settings = parser.get_parsed_content("settings")
    assert isinstance(settings, TrainingSettings)
    assert settings == PRESETS[f"{task}-{number}"]


def test_published_setting_runs(call: Any, folder: Path) -> None:
    configs = [str(folder / "configs" / name) for name in ("train.json", "paper_2.json")]
    small = ["--stages", 2, "--iterations", 1, "--channels", 2, "--max_size", 64, "--min_size", 25]
    call("run", "--config_file", str(configs), *small, "--device", "cpu", "--output_dir", "out")
    configs[0] = str(folder / "configs" / "inference.json")
    result = ["--config_file", str(configs), "--max_size", 64, "--ckpt_path", "out/model.pt", "--output_dir", "results"]
    call("run", *result)
    assert len(list(Path("results").rglob("*_image.nii.gz"))) == 1


def test_metadata_follows_the_schema(call: Any, folder: Path) -> None:
    """The schema is there already, so nothing is downloaded."""
    for name in ("metadata.json", "metadata_volume.json"):
        call("verify_metadata", "--meta_file", folder / "configs" / name, "--filepath", SCHEMA)


def test_metadata_of_volumes_tell_of_other_shapes_only(folder: Path) -> None:
    flat, deep = (json.loads((folder / "configs" / f"metadata{name}.json").read_text()) for name in ("", "_volume"))
    for meta, size in ((flat, 96), (deep, 48)):
        shapes = [meta["network_data_format"][way][name].pop("spatial_shape") for way, name in WAYS]
        assert [set(shapes[0]), set(shapes[1])] == [{size // 2 + 1}, {size}]
        meta.pop("eval_metrics")
    assert flat == deep


def test_network_takes_and_gives_what_the_metadata_say(call: Any, folder: Path) -> None:
    meta, config = folder / "configs" / "metadata.json", folder / "configs" / "inference.json"
    call("verify_net_in_out", "--net_id", "network_def", "--meta_file", meta, "--config_file", config)
    shapes = json.loads(meta.read_text())["network_data_format"]
    generator = load_generator(folder / "models" / "model.pt", task=task_of(folder))
    assert shapes["inputs"]["image"]["spatial_shape"] == generator.stage_sizes[0]
    assert shapes["outputs"]["pred"]["spatial_shape"] == generator.stage_sizes[-1]


def test_exported_model_gives_the_same_numbers(call: Any, folder: Path) -> None:
    meta, config = folder / "configs" / "metadata.json", folder / "configs" / "inference.json"
    model = folder / "models" / "model.pt"
    call(
        *("ckpt_export", "--net_id", "network_def", "--filepath", "model.ts", "--ckpt_file", model),
        *("--meta_file", meta, "--config_file", config),
    )
    generator = load_generator(model, task=task_of(folder))
    image = torch.rand((1, 1, *generator.stage_sizes[0]), generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        assert torch.equal(torch.jit.load("model.ts")(image), generator(image))


@pytest.mark.usefixtures("call")
@pytest.mark.parametrize("kind", ["train", "inference"])
def test_load_gives_the_shipped_generator(folder: Path, kind: str) -> None:
    loaded = monai.bundle.load(folder.name, bundle_dir=str(folder.parent), workflow_type=kind)
    shipped = weights(folder / "models" / "model.pt")
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), shipped, strict=True))


@pytest.mark.parametrize(("config", "kind"), [("train", "train"), ("inference", "infer"), ("evaluate", "infer")])
def test_properties_are_complete(call: Any, folder: Path, config: str, kind: str) -> None:
    names = ["inference", "evaluate"] if config == "evaluate" else [config]
    paths = [str(folder / "configs" / f"{name}.json") for name in names]
    workflow = monai.bundle.create_workflow(config_file=paths, workflow_type=kind, output_dir="out")
    assert workflow.check_properties() == []
    optional = {"evaluator", "val_interval", "train_handlers", "train_preprocessing", "train_key_metric"}
    optional |= {"val_handlers", "val_dataset", "val_inferer", "val_preprocessing", "val_postprocessing"}
    if kind == "infer":
        optional = {"handlers", "preprocessing", "postprocessing", *(["key_metric"] if config == "evaluate" else [])}
    assert [name for name in sorted(optional) if getattr(workflow, name) is None] == []


def test_tracking_with_mlflow_and_tensorboard(call: Callable[..., Any], folder: Path) -> None:
    import mlflow
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    call("run", "--config_file", folder / "configs" / "train.json", *SMALL, "--tracking", "mlflow")
    run = Path("runs") / folder.name
    client = mlflow.tracking.MlflowClient(f"sqlite:///{(run / 'mlruns.db').absolute()}")
    (tracked,) = client.search_runs([item.experiment_id for item in client.search_experiments()])
    assert "train_loss" in tracked.data.metrics
    assert "reconstruction_error" in tracked.data.metrics
    events = EventAccumulator(str(run))
    events.Reload()
    assert "reconstruction_error" in events.Tags()["scalars"]
