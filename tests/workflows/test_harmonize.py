from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_consingan.data import example, number_lesions
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import INSERTION_METHODS, MODEL_FREE_INSERTIONS
from monai_consingan.models import TrainedModel
from monai_consingan.workflows import LesionSource, harmonize, paste

REDRAWN = "tissue-consingan"

FILES = ["alteration.nii.gz", "figure.png", "image.nii.gz", "label.nii.gz", "model.pt", "naive.nii.gz", "report.json"]
SAME = ["alteration.nii.gz", "image.nii.gz", "label.nii.gz", "model.pt", "naive.nii.gz"]


def raw(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj.get_unscaled())


def assert_same_bytes(first: Path, second: Path, names: list[str] = SAME) -> None:
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_leaves_the_promised_files_and_no_other(inserted: Any) -> None:
    folder, _ = inserted
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert sorted(path.name for path in folder.parent.iterdir()) == ["out"]


def test_untouched_voxels_keep_the_bits_of_the_host(inserted: Any, scan: Any) -> None:
    altered = raw(inserted[0] / "alteration.nii.gz") > 0
    for name in ("image.nii.gz", "naive.nii.gz"):
        result = raw(inserted[0] / name)
        assert result.dtype == scan[0].dtype
        assert np.array_equal(result[~altered], scan[0][~altered])
        assert (result[altered] != scan[0][altered]).any()
    assert np.flatnonzero(altered.any(axis=(0, 1))).tolist() == [6]


def test_geometry_is_the_hosts(inserted: Any) -> None:
    host = nib.load(example().image).header
    for name in ("image.nii.gz", "naive.nii.gz", "label.nii.gz", "alteration.nii.gz"):
        header = nib.load(inserted[0] / name).header
        for field in ("dim", "pixdim", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "xyzt_units"):
            assert np.array_equal(header[field], host[field]), (name, field)
    assert nib.load(inserted[0] / "image.nii.gz").get_data_dtype() == host.get_data_dtype()


def test_label_holds_the_moved_lesion_and_those_of_the_host(inserted: Any, scan: Any) -> None:
    folder, report = inserted
    label, (rows, columns, _) = raw(folder / "label.nii.gz"), report["placement"]["offset"]
    moved = np.roll(scan[1][..., 4], (rows, columns), axis=(0, 1))
    assert np.array_equal(label[..., 6], moved)
    assert np.array_equal(label[..., :6], scan[1][..., :6])
    assert not label[..., 7:].any()
    assert not (label[..., 6] > 0)[raw(folder / "alteration.nii.gz")[..., 6] == 0].any()


def test_naive_is_the_donors_lesion_times_a_gain(inserted: Any, scan: Any) -> None:
    folder, report = inserted
    label, naive = raw(folder / "label.nii.gz")[..., 6] > 0, raw(folder / "naive.nii.gz")[..., 6]
    rows, columns, _ = report["placement"]["offset"]
    donor = np.roll(scan[0][..., 4], (rows, columns), axis=(0, 1))
    gain = naive[label].astype(float) / donor[label]
    assert np.ptp(gain) < 0.02
    assert np.array_equal(naive[~label], scan[0][..., 6][~label])


def test_report_says_what_was_done(inserted: Any, source: LesionSource) -> None:
    report = json.loads((inserted[0] / "report.json").read_text())
    assert {"seconds", "seam", "contrast_kept", "placement", "settings", "inputs", "versions", "seed"} <= set(report)
    assert report["seed"] == 1
    assert report["inputs"]["host"]["file"] == Path(source.host).name
    assert len(report["inputs"]["donor_label"]["sha256"]) == 64
    assert report["placement"]["slices"] == [6]
    assert report["settings"]["iterations"] == 2
    assert report["settings"]["blend"] == INSERTION_METHODS[REDRAWN].redrawn.as_dict()
    assert report["contrast_kept_naive"] == pytest.approx(1, abs=0.1)
    assert report["seconds"] >= report["seconds_training"] > 0
    assert "torch" in report["versions"]
    assert str(Path(source.host).parent) not in (inserted[0] / "report.json").read_text()


def test_model_loads_and_is_of_the_task(inserted: Any) -> None:
    assert TrainedModel.load(inserted[0], task="harmonization").seed == 1


def test_same_seed_gives_the_same_bytes(inserted: Any, source: LesionSource, tiny: Any, tmp_path: Path) -> None:
    harmonize(source, tmp_path / "out", settings=tiny("harmonization"), seed=1)
    assert_same_bytes(inserted[0], tmp_path / "out", [*SAME, "figure.png"])


def test_model_is_used_again(inserted: Any, source: LesionSource, tmp_path: Path) -> None:
    report = harmonize(source, tmp_path / "out", model=inserted[0], seed=1)
    assert_same_bytes(inserted[0], tmp_path / "out", [name for name in SAME if name != "model.pt"])
    assert report["seconds_training"] == 0
    assert not (tmp_path / "out" / "model.pt").exists()


def test_killed_run_goes_on_to_the_same_bytes(inserted: Any, killed: Path, source: LesionSource, tiny: Any) -> None:
    out = killed / "harmonize"
    assert [path.name for path in out.iterdir()] == [".partial"]
    assert any(path.name.startswith("checkpoint") for path in (out / ".partial").iterdir())
    report = harmonize(source, out, settings=tiny("harmonization"), seed=1)
    assert_same_bytes(inserted[0], out)
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert report["seed"] == 1


def test_interrupt_leaves_nothing(
    source: LesionSource, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("monai_consingan.models.redraw.train_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        harmonize(source, tmp_path / "new" / "out", settings=tiny("harmonization"))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_a_clear_error(source: LesionSource, tiny: Any, full_disk: Any, tmp_path: Path) -> None:
    words = r"^output .*out cannot be written \(File too large\): .*\.$"
    with full_disk(), pytest.raises(ConSinGANError, match=words):
        harmonize(source, tmp_path / "out", settings=tiny("harmonization"))
    assert list(tmp_path.iterdir()) == []


def test_paste_trains_nothing_and_marks_what_changed(source: LesionSource, scan: Any, tmp_path: Path) -> None:
    report = paste(source, tmp_path / "out", seed=1)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["alteration.nii.gz", "figure.png", "image.nii.gz", "label.nii.gz", "report.json"]
    altered = raw(tmp_path / "out" / "alteration.nii.gz") > 0
    assert np.array_equal(raw(tmp_path / "out" / "image.nii.gz")[~altered], scan[0][~altered])
    assert report["seam"] == report["seam_naive"]


def test_feathered_paste_marks_its_soft_edge(source: LesionSource, scan: Any, tmp_path: Path) -> None:
    harmonize(source, tmp_path / "out", method="feather", seed=1)
    altered = raw(tmp_path / "out" / "alteration.nii.gz") > 0
    assert np.array_equal(raw(tmp_path / "out" / "image.nii.gz")[~altered], scan[0][~altered])
    paste(source, tmp_path / "naive", seed=1)
    assert (tmp_path / "out" / "naive.nii.gz").read_bytes() == (tmp_path / "naive" / "image.nii.gz").read_bytes()


@pytest.mark.parametrize("method", MODEL_FREE_INSERTIONS)
def test_a_method_without_a_model_trains_nothing(
    method: str, source: LesionSource, scan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monai_consingan.models.redraw.train_model", None)
    report = harmonize(source, tmp_path / "out", method=method, seed=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [name for name in FILES if name != "model.pt"]
    assert report["checks"]["passed"] or method in ("poisson", "crossfade", "feather"), report["warnings"]
    assert report["settings"] == {"method": method, "match": "gain", "paste_blend": report["settings"]["paste_blend"]}
    altered = raw(tmp_path / "out" / "alteration.nii.gz") > 0
    assert np.array_equal(raw(tmp_path / "out" / "image.nii.gz")[~altered], scan[0][~altered])
    assert abs(report["contrast_kept"] - 1) < 0.15 or method in ("poisson", "crossfade")
    with pytest.raises(ConSinGANError, match=rf"method is '{method}', which uses no model, but bank is b: leave it"):
        harmonize(source, tmp_path / "other", method=method, bank="b")


def test_mass_effect_is_within_the_alteration(source: LesionSource, scan: Any, tmp_path: Path) -> None:
    still, pushed = (
        harmonize(replace(source, mass_effect=share), tmp_path / name, seed=1)
        for name, share in (("still", 0.0), ("pushed", 0.7))
    )
    altered = raw(tmp_path / "pushed" / "alteration.nii.gz") > 0
    image = raw(tmp_path / "pushed" / "image.nii.gz")
    assert np.array_equal(image[~altered], scan[0][~altered])
    assert altered.sum() > 1.5 * (raw(tmp_path / "still" / "alteration.nii.gz") > 0).sum()
    assert pushed["settings"]["mass_effect"] == 0.7
    assert pushed["checks"]["passed"], pushed["warnings"]
    assert pushed["placement"] == still["placement"]
    assert "mass_effect" not in still["settings"]
    with pytest.raises(ConSinGANError, match="mass_effect"):
        replace(source, mass_effect=1.0)


def test_the_published_method(source: LesionSource, scan: Any, tiny: Any, tmp_path: Path) -> None:
    report = harmonize(source, tmp_path / "out", method="consingan", settings=tiny("harmonization"), seed=1)
    told, (rows, columns, _) = report["settings"], report["placement"]["offset"]
    assert (told["match"], told["paste_blend"], told["blend"]["mode"]) == ("none", "hard", "smooth")
    label, naive = (raw(tmp_path / "out" / f"{name}.nii.gz")[..., 6] for name in ("label", "naive"))
    donor = np.roll(scan[0][..., 4], (rows, columns), axis=(0, 1))
    assert np.array_equal(naive, np.where(label > 0, donor, scan[0][..., 6]))
    with pytest.raises(ConSinGANError, match="method is 'gan', but must be one of tissue"):
        harmonize(source, tmp_path / "other", method="gan")


def test_place_depends_on_the_seed(inserted: Any, source: LesionSource, tmp_path: Path) -> None:
    first = paste(source, tmp_path / "a", seed=1)["placement"]["position"]
    assert first == inserted[1]["placement"]["position"]
    others = [paste(source, tmp_path / f"b{seed}", seed=seed)["placement"]["position"] for seed in (2, 3)]
    assert any(other != first for other in others)


def test_place_can_be_given(source: LesionSource, tmp_path: Path) -> None:
    for at in ((60, 120, 6), (60, 120)):
        report = paste(replace(source, at=at), tmp_path / str(len(at)))
        assert list(report["placement"]["position"]) == [60, 120, 6]
    offset = report["placement"]["offset"]
    for given in (offset, offset[:2]):
        report = paste(replace(source, offset=given), tmp_path / f"o{len(given)}")
        assert list(report["placement"]["position"]) == [60, 120, 6]


def test_whole_lesion_is_moved_with_one_model(save: Callable[..., Path], scan: Any, tiny: Any, tmp_path: Path) -> None:
    deep = np.concatenate([scan[0][..., 6:10], scan[0][..., 9:5:-1], scan[0][..., 6:10]], axis=-1)
    files = example()
    source = LesionSource(save("deep.nii.gz", deep), files.image, files.label)
    report = harmonize(source, tmp_path / "out", settings=tiny("harmonization"))
    rows, columns, up = report["placement"]["offset"]
    assert report["placement"]["slices"] == list(range(up, up + 6))
    assert len(report["settings"]["region_taken"]["slices"]) == 6
    label, altered = (raw(tmp_path / "out" / f"{name}.nii.gz") for name in ("label", "alteration"))
    moved = np.zeros(deep.shape, label.dtype)
    largest = np.where(number_lesions(scan[1]) == 1, scan[1], 0)
    moved[..., up : up + 6] = np.roll(largest[..., :6], (rows, columns), axis=(0, 1))
    assert (report["placement"]["lesion"], report["placement"]["lesions"]) == (1, 2)
    assert np.array_equal(label, moved)
    assert np.array_equal(raw(tmp_path / "out" / "image.nii.gz")[altered == 0], deep[altered == 0])


def test_another_axis_gives_the_same_picture(
    inserted: Any, save: Callable[..., Path], scan: Any, tiny: Any, tmp_path: Path
) -> None:
    affine = nib.load(example().image).affine[:, [2, 0, 1, 3]]
    image, label = (
        save(name, np.moveaxis(array, 2, 0), affine) for name, array in zip(("i.nii", "l.nii"), scan, strict=True)
    )
    source = LesionSource(image, image, label, donor_slice=4, host_slice=6)
    report = harmonize(source, tmp_path / "out", settings=tiny("harmonization"), seed=1)
    assert report["placement"]["axis"] == 0
    first = raw(tmp_path / "out" / "image.nii.gz")
    assert np.array_equal(np.moveaxis(first, 0, 2), raw(inserted[0] / "image.nii.gz"))


def test_donor_of_another_grid_is_brought_to_the_hosts(save: Callable[..., Path], scan: Any, tmp_path: Path) -> None:
    affine = nib.load(example().image).affine.copy()
    affine[:3, 0] *= -1
    affine[:3, 3] += 500
    affine[:3, :2] *= 2
    image, label = (array[::-2, ::2] for array in scan)
    source = LesionSource(
        example().image, save("donor.nii", image, affine), save("label.nii", label, affine), donor_slice=4, host_slice=6
    )
    report = paste(source, tmp_path / "out")
    written = raw(tmp_path / "out" / "label.nii.gz")
    assert written.shape == scan[0].shape
    assert np.flatnonzero(written.any(axis=(0, 1))).tolist() == [6]
    assert written.sum() == pytest.approx(4 * label[..., 4].sum(), rel=0.15)
    assert report["contrast_kept"] == pytest.approx(1, abs=0.2)


def test_label_values_are_kept_and_chosen(save: Callable[..., Path], scan: Any, tmp_path: Path) -> None:
    label = scan[1].astype(np.int16)
    label[:, : int(np.argwhere(label[..., 4])[:, 1].mean())] *= 4
    path = save("label.nii.gz", label)
    source = LesionSource(example().image, example().image, path, donor_slice=4, host_slice=6)
    paste(source, tmp_path / "all")
    assert np.unique(raw(tmp_path / "all" / "label.nii.gz")[..., 6]).tolist() == [0, 1, 4]
    paste(replace(source, lesion_labels=[4]), tmp_path / "one")
    written = raw(tmp_path / "one" / "label.nii.gz")
    assert np.unique(written[..., 6]).tolist() == [0, 4]
    assert np.array_equal(written[..., :6], label[..., :6])


def test_lesions_of_the_host_are_kept_and_avoided(save: Callable[..., Path], scan: Any, tmp_path: Path) -> None:
    own = np.zeros(scan[1].shape, np.uint8)
    own[100:110, 60:70, 6] = 3
    files = example()
    host = save("host.nii.gz", scan[0])
    source = LesionSource(host, files.image, files.label, host_label=save("own.nii.gz", own), donor_slice=4)
    paste(replace(source, at=(60, 120, 6)), tmp_path / "out")
    written = raw(tmp_path / "out" / "label.nii.gz")
    assert np.array_equal(written == 3, own == 3)
    assert (written == 1).any()
    with pytest.raises(ConSinGANError, match="over another lesion"):
        paste(replace(source, at=(105, 65, 6)), tmp_path / "over")


def test_png_in_png_out(scan: Any, tiny: Any, tmp_path: Path) -> None:
    def picture(name: str, array: np.ndarray) -> Path:
        Image.fromarray(np.ascontiguousarray(array.T.astype(np.uint8))).save(tmp_path / name)
        return tmp_path / name

    host, donor = (np.clip(scan[0][..., index] / 8, 0, 255) for index in (6, 4))
    source = LesionSource(picture("h.png", host), picture("d.png", donor), picture("l.png", scan[1][..., 4]))
    report = harmonize(source, tmp_path / "out", settings=tiny("harmonization"))
    assert report["placement"]["axis"] is None
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(name.replace(".nii.gz", ".png") for name in FILES)
    image, altered, before = (
        np.asarray(Image.open(path))
        for path in (tmp_path / "out" / "image.png", tmp_path / "out" / "alteration.png", tmp_path / "h.png")
    )
    assert image.dtype == np.uint8
    assert np.array_equal(image[altered == 0], before[altered == 0])
    assert (image != before).any()


def test_nrrd_host_gives_nifti_of_its_numbers(scan: Any, tmp_path: Path) -> None:
    files = example()
    host = tmp_path / "host.nrrd"
    itk.imwrite(itk.imread(os.fspath(files.image)), os.fspath(host))
    paste(LesionSource(host, files.image, files.label, donor_slice=4, host_slice=6), tmp_path / "out")
    image = nib.load(tmp_path / "out" / "image.nii.gz")
    altered = raw(tmp_path / "out" / "alteration.nii.gz") > 0
    assert image.get_data_dtype() == np.int16
    assert np.allclose(image.affine, nib.load(files.image).affine, atol=1e-3)
    assert np.array_equal(raw(tmp_path / "out" / "image.nii.gz")[~altered], scan[0][~altered])


def test_training_starts_from_a_model(inserted: Any, source: LesionSource, tiny: Any, tmp_path: Path) -> None:
    report = harmonize(source, tmp_path / "warm", start=inserted[0], seed=2)  # with the settings of that model
    assert report["settings"]["channels"] == tiny("harmonization").channels
    assert report["inputs"]["start"]["file"] == "model.pt" and "model" not in report["inputs"]
    cold = harmonize(source, tmp_path / "cold", settings=tiny("harmonization"), seed=2)
    assert report["settings"] == cold["settings"]
    first, warm, other = (TrainedModel.load(folder) for folder in (inserted[0], tmp_path / "warm", tmp_path / "cold"))
    name = "head.conv.weight"
    step, apart = (
        float((warm.generator.state_dict()[name] - model.generator.state_dict()[name]).abs().max())
        for model in (first, other)
    )
    assert 0 < step < 0.02 < apart


def test_start_that_does_not_fit(inserted: Any, source: LesionSource, tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match=r"is used as it is, and .* to start a training from: give one"):
        harmonize(source, tmp_path / "out", model=inserted[0], start=inserted[0])
    with pytest.raises(ConSinGANError, match="has other networks"):
        harmonize(source, tmp_path / "out", start=inserted[0], settings=tiny("harmonization", channels=2))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("gain", "match"), [(8, "gain"), (0.125, "gain"), (1.2, "none")])
def test_the_published_method_between_scans_of_other_scale(
    save: Callable[..., Path], scan: Any, tiny: Any, tmp_path: Path, gain: float, match: str
) -> None:
    host = save("host.nii.gz", (scan[0] * gain).astype(np.float32))
    source = LesionSource(host, example().image, example().label, donor_slice=4, host_slice=6)
    report = harmonize(source, tmp_path / "out", method="consingan", settings=tiny("harmonization"))
    assert report["settings"]["match"] == match
    assert report["contrast_kept_naive"] == pytest.approx(1 if match == "gain" else 0.5, abs=0.4)
    assert any("matched by gain" in warning for warning in report["warnings"]) == (match == "gain")


def test_a_result_that_does_not_pass(save: Callable[..., Path], scan: Any, tmp_path: Path) -> None:
    host = save("host.nii.gz", (scan[0] * 8).astype(np.float32))
    source = LesionSource(host, example().image, example().label, donor_slice=4, host_slice=6, match="none")
    report = paste(source, tmp_path / "out")
    assert not report["checks"]["passed"]
    (warning,) = report["warnings"]
    assert warning.startswith("The result does not pass its checks: contrast kept is -")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["warnings"] == [warning]
    with pytest.raises(ConSinGANError, match=r"^Nothing is written, as the result does not pass its checks: .*\.$"):
        paste(source, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()
