from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import frechet_distance, inception_features, load_inception
from monai_consingan.metrics.inception import INCEPTION_VARIABLE


def pictures(folder: Path, level: int, count: int = 4) -> list[Path]:
    folder.mkdir()
    rng = np.random.RandomState(level)
    files = [folder / f"{number}.png" for number in range(count)]
    for file in files:
        Image.fromarray(rng.randint(0, level, (40, 30)).astype(np.uint8)).save(file)
    return files


def test_fid_is_that_of_pytorch_fids_own_command(inception_file: Path, tmp_path: Path) -> None:
    first, second = pictures(tmp_path / "a", 200), pictures(tmp_path / "b", 100)
    command = [sys.executable, "-W", "ignore", "-m", "pytorch_fid", "--dims", "192", "--device", "cpu"]
    # pytorch-fid finds the weights where PyTorch keeps its downloads.
    home = {"TORCH_HOME": str(inception_file.parents[2]), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*command, "--num-workers", "0", str(tmp_path / "a"), str(tmp_path / "b")],
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        check=True,
    )
    network = load_inception(inception_file, dims=192)
    found = frechet_distance(inception_features(first, network), inception_features(second, network))
    assert found == pytest.approx(float(done.stdout.split("FID:")[1]), rel=1e-5)
    assert found > 1e-3


def test_features_have_the_dimensions_asked_for(
    inception_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(INCEPTION_VARIABLE, str(inception_file))
    files = pictures(tmp_path / "a", 200, count=2)
    features = inception_features(files, load_inception())
    assert features.shape == (2, 2048)
    assert not np.array_equal(features[0], features[1])
    assert capfd.readouterr() == ("", "")
    inception_features(files, load_inception(dims=64), progress=True)
    assert "100%" in capfd.readouterr().err


def test_without_a_network_the_error_says_how_to_give_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pytorch_fid import inception

    def refuse(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(inception, "load_state_dict_from_url", refuse)
    monkeypatch.delenv(INCEPTION_VARIABLE, raising=False)
    with pytest.raises(ConSinGANError, match=rf"no route.*--inception.*{INCEPTION_VARIABLE}"):
        load_inception()


def test_refuses_files_that_are_not_the_weights(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match="does not exist"):
        load_inception(tmp_path / "none.pth")
    broken, other, numbers = tmp_path / "broken.pth", tmp_path / "other.pth", tmp_path / "numbers.pth"
    broken.write_bytes(b"not torch")
    torch.save({"weight": torch.ones(1)}, other)
    torch.save([1, 2], numbers)
    with pytest.raises(ConSinGANError, match="cannot be read"):
        load_inception(broken)
    with pytest.raises(ConSinGANError, match="other weights"):
        load_inception(other)
    with pytest.raises(ConSinGANError, match="no state dict"):
        load_inception(numbers)
    with pytest.raises(ConSinGANError, match="dims is 100"):
        load_inception(dims=100)


def test_pictures_of_several_sizes(inception_file: Path, tmp_path: Path) -> None:
    network = load_inception(inception_file, dims=64)
    files = pictures(tmp_path / "a", 200)
    before = inception_features(files, network)
    Image.new("L", (7, 7), 90).save(files[1])
    after = inception_features(files, network)
    assert [np.allclose(*rows, rtol=1e-5) for rows in zip(before, after, strict=True)] == [True, False, True, True]
    assert np.array_equal(after[1], inception_features(files[1:2], network)[0])


def test_refuses_pictures_that_cannot_be_read(inception_file: Path, tmp_path: Path) -> None:
    network = load_inception(inception_file, dims=64)
    files = pictures(tmp_path / "a", 200, count=2)
    files[1].write_bytes(files[1].read_bytes()[:200])
    with pytest.raises(ConSinGANError, match=r"1\.png cannot be read"):
        inception_features(files, network)
    with pytest.raises(ConSinGANError, match="empty"):
        inception_features([], network)
