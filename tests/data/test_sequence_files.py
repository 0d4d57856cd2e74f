from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from monai_consingan.data import in_common, read_sequences, save_label_like, save_sequences, sequence_names, told_apart
from monai_consingan.errors import ConSinGANError

SHAPE = (20, 22, 8)
AFFINE = np.diag([-1.0, 1.0, 3.0, 1.0])


def values(seed: int) -> np.ndarray:
    """Stored numbers of a bright, textured ellipsoid in a background of 0."""
    grid = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    ball = sum(((axis - n / 2) / (0.4 * n)) ** 2 for axis, n in zip(grid, SHAPE, strict=True)) < 1
    texture = gaussian_filter(np.random.RandomState(seed).normal(0, 60, SHAPE), 1)
    return np.where(ball, 300 + texture, 0).astype(np.int16)


def write(path: Path, array: np.ndarray, slope: float = 1.0, affine: np.ndarray = AFFINE) -> Path:
    image = nib.Nifti1Image(array, affine)
    image.header.set_slope_inter(slope, 0)
    image.header["xyzt_units"] = 10
    nib.save(image, path)
    return path


def stored(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj.get_unscaled())


def header(path: Path) -> list[object]:
    """What of a file's header has to stay."""
    image = nib.load(path)
    keys = ("dim", "pixdim", "datatype", "xyzt_units", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z")
    return [image.dataobj.slope, *(image.header[key].tolist() for key in keys)]


@pytest.fixture
def mask() -> np.ndarray:
    inside = np.zeros((1, *SHAPE), np.uint8)
    inside[0, 8:12, 9:13, 3:5] = 1
    return inside


@pytest.mark.parametrize(("dtype", "slope", "top"), [(np.uint8, 2.0, 510), (np.int16, 0.01, 327.67)])
def test_what_a_file_cannot_hold_is_cut_and_told(
    tmp_path: Path, mask: np.ndarray, dtype: type, slope: float, top: float
) -> None:
    paths = [write(tmp_path / f"case_{name}.nii.gz", values(0).clip(0, 99).astype(dtype), slope) for name in ("a", "b")]
    image, files = read_sequences(paths).image()
    inside = mask[0] > 0
    same, none = files.held(image, inside)
    assert same is image and not none
    image[0][inside], image[1, 8, 9, 3] = 700, 700
    held, told = files.held(image, inside)
    assert np.allclose(held[0][inside], top) and float(held[1].max()) == pytest.approx(top)
    assert np.array_equal(held[:, ~inside], image[:, ~inside])
    assert [one.split(" is beyond")[0] for one in told] == ["100% of the lesion in a", "3% of the lesion in b"]
    assert all(np.dtype(dtype).name in one for one in told)


def test_several_files_come_back_as_several_files(tmp_path: Path, mask: np.ndarray) -> None:
    paths = [write(tmp_path / f"case_{name}.nii.gz", values(n), 1 + n) for n, name in enumerate(("t1", "t1ce"))]
    image, files = read_sequences(paths).image()
    assert sequence_names(image) == ("t1", "t1ce") and image.shape == (2, *SHAPE)
    assert np.array_equal(image[1], 2.0 * values(1))
    names = save_sequences(tmp_path, "image", image + 40, files, alteration=mask)
    assert names == ["image_t1.nii.gz", "image_t1ce.nii.gz"]
    for number, (name, path) in enumerate(zip(names, paths, strict=True)):
        expected = values(number) + np.where(mask[0] > 0, 40 // (1 + number), 0)
        assert np.array_equal(stored(tmp_path / name), expected)
        assert header(tmp_path / name) == header(path)


@pytest.mark.parametrize("chosen", [None, ["b", "a"]])
@pytest.mark.parametrize("vector", [False, True])
def test_a_4d_file_comes_back_as_one(tmp_path: Path, mask: np.ndarray, chosen: list[str] | None, vector: bool) -> None:
    array = np.stack([values(0), values(1)], -1)
    path = write(tmp_path / "case.nii.gz", array[:, :, :, None] if vector else array, 0.5)
    files = read_sequences(path)
    assert files.names == ("1", "2") and not files.known
    image, files = (files if chosen is None else files.choose(["a", "b"]).choose(chosen)).image()
    order = [0, 1] if chosen is None else [1, 0]
    assert sequence_names(image) == (("1", "2") if chosen is None else ("b", "a"))
    assert np.array_equal(image, 0.5 * array.transpose(3, 0, 1, 2)[order])
    assert save_sequences(tmp_path, "image", image + 10, files, alteration=mask) == ["image.nii.gz"]
    expected = array[..., order] + 20 * mask[0][..., None]
    assert np.array_equal(stored(tmp_path / "image.nii.gz").reshape(expected.shape), expected)
    assert header(tmp_path / "image.nii.gz") == header(path)
    save_label_like(tmp_path / "label.nii.gz", mask, files.parts[0])
    assert np.array_equal(stored(tmp_path / "label.nii.gz"), mask[0])


def test_some_sequences_of_a_4d_file_are_a_4d_file_of_these(tmp_path: Path) -> None:
    path = write(tmp_path / "case.nii.gz", np.stack([values(n) for n in range(3)], -1))
    image, files = read_sequences(path, sequences=["t1", "t2", "flair"]).choose(["flair"]).image()
    assert np.array_equal(image, values(2)[None].astype(np.float32)) and "sequences" not in image.meta
    save_sequences(tmp_path, "image", image, files)
    assert np.array_equal(stored(tmp_path / "image.nii.gz"), values(2)[..., None])


def test_one_file_is_as_it_has_been(tmp_path: Path) -> None:
    path = write(tmp_path / "case_t1.nii.gz", values(0))
    image, files = read_sequences([path]).image()
    assert image.shape == (1, *SHAPE) and "sequences" not in image.meta and files.described()["file"] == path.name
    assert save_sequences(tmp_path, "image", image, files) == ["image.nii.gz"]
    assert np.array_equal(stored(tmp_path / "image.nii.gz"), values(0))


def test_other_grids_are_brought_to_the_leads_if_asked_for(tmp_path: Path, mask: np.ndarray) -> None:
    shifted = AFFINE.copy()
    shifted[:3, 3] = AFFINE[:3, :3] @ [2, 0, 0]
    paths = [write(tmp_path / "a_t1.nii.gz", values(0)), write(tmp_path / "a_t2.nii.gz", values(0)[2:], 2.0, shifted)]
    with pytest.raises(ConSinGANError, match=r"18 x 22 x 8.*20 x 22 x 8.*--resample"):
        read_sequences(paths).image()
    image, files = read_sequences(paths).image(resample=True)
    assert files.resampled == ("t2",) and np.array_equal(image[1], 2 * image[0])
    save_sequences(tmp_path, "image", image + 2, files, alteration=mask)
    assert np.array_equal(stored(tmp_path / "image_t2.nii.gz"), values(0) + mask[0])
    image, files = read_sequences(paths).image("t2", resample=True)
    assert image.shape == (2, 18, 22, 8) and files.resampled == ("t1",)


def test_another_grid_of_the_same_shape_is_brought_to_the_leads_too(tmp_path: Path) -> None:
    shifted = AFFINE.copy()
    shifted[:3, 3] = AFFINE[:3, :3] @ [2, 0, 0]
    moved = np.roll(values(0), -2, axis=0)
    paths = [write(tmp_path / "a_t1.nii.gz", values(0)), write(tmp_path / "a_t2.nii.gz", moved, 1.0, shifted)]
    image, files = read_sequences(paths).image(resample=True)
    assert files.resampled == ("t2",) and np.array_equal(image[1], values(0))


@pytest.mark.parametrize(
    ("files", "names", "common"),
    [
        (["X_1_t1.nii.gz", "X_1_t1ce.nii.gz", "X_1_flair.nii.gz"], ["t1", "t1ce", "flair"], "X_1"),
        (["BraTS-GLI-1-000-t1c.nii.gz", "BraTS-GLI-1-000-t1n.nii.gz"], ["t1c", "t1n"], "BraTS-GLI-1-000"),
        (["case_0000.nii.gz", "case_0001.nii.gz"], ["0000", "0001"], "case"),
        (["sub-01_ce-gadolinium_T1w.nii.gz", "sub-01_T1w.nii.gz"], ["ce-gadolinium_T1w", "T1w"], "sub-01"),
        (["a.t1.brain.nrrd", "a.t2.brain.nrrd"], ["t1", "t2"], "a.brain"),
        (["t1-a.nii", "t2-a.nii"], ["t1", "t2"], "a"),
        (["t1.nii.gz", "t1ce.nii.gz"], ["t1", "t1ce"], ""),
        (["one/t1.nii.gz", "two/t1.nii.gz"], None, None),
        (["ROE/1.dcm", "ROE/2.dcm"], None, None),
    ],
)
def test_what_names_of_files_say(files: list[str], names: list[str] | None, common: str | None) -> None:
    paths = [Path(file) for file in files]
    assert (told_apart(paths), in_common(paths)) == (names, common)


@given(order=st.permutations(["t1", "t1ce", "t2"]))
def test_a_donors_sequences_come_in_the_hosts_order(tmp_path_factory: pytest.TempPathFactory, order: list[str]) -> None:
    folder = tmp_path_factory.mktemp("case")
    paths = {name: write(folder / f"x_{name}.nii", values(n)) for n, name in enumerate(("t1", "t1ce", "t2"))}
    host = read_sequences(list(paths.values()), name="host")
    donor = read_sequences([paths[name] for name in order], name="donor").in_order_of(host)
    assert donor.names == host.names and [part.path for part in donor.parts] == list(paths.values())


def test_names_that_do_not_fit_are_refused_with_what_to_do(tmp_path: Path) -> None:
    paths = {name: write(tmp_path / f"x_{name}.nii", values(n)) for n, name in enumerate(("t1", "t1ce", "t2"))}
    host = read_sequences(list(paths.values()), name="host")
    whole = read_sequences(write(tmp_path / "case.nii", np.stack([values(0)] * 3, -1)), name="donor")
    with pytest.raises(ConSinGANError, match="both have, as in --sequences t1,t2"):
        read_sequences([paths["t2"], paths["t1"]], name="donor").in_order_of(host)
    with pytest.raises(ConSinGANError, match=r"donor have no names: name them.*--sequences t1,t1ce,t2"):
        whole.in_order_of(host)
    assert whole.choose(["T1", "t1ce", "t2"]).in_order_of(host.choose(["T1", "t1ce", "t2"])).known
    with pytest.raises(ConSinGANError, match="has t1, t1ce, t2"):
        host.choose(["t1", "flair"])
    with pytest.raises(ConSinGANError, match="3 sequences without names"):
        whole.choose(["t1", "flair"])
    with pytest.raises(ConSinGANError, match="each once"):
        host.choose(["t1", "T1"])
    with pytest.raises(ConSinGANError, match="twice"):
        read_sequences([paths["t1"], paths["t1"]])
    with pytest.raises(ConSinGANError, match="no file"):
        read_sequences([])
    with pytest.raises(ConSinGANError, match="4 dimensions"):
        read_sequences([tmp_path / "case.nii", paths["t1"]])
