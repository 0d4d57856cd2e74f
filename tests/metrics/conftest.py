from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of pytorch-fid's Inception network, in a folder as PyTorch keeps its downloads (TORCH_HOME)."""
    from pytorch_fid import inception

    from monai_consingan.metrics.inception import replaced

    torch.manual_seed(0)
    found = {}

    class Caught(Exception):
        pass

    def stop(*args: object, **kwargs: object) -> None:
        raise Caught

    def build(*args: object, **kwargs: object) -> torch.nn.Module:
        found["network"] = original(*args, **kwargs)
        return found["network"]

    original = inception._inception_v3
    with (
        replaced(inception, "_inception_v3", build),
        replaced(inception, "load_state_dict_from_url", stop),
        pytest.raises(Caught),
    ):
        inception.fid_inception_v3()
    path = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints" / Path(inception.FID_WEIGHTS_URL).name
    path.parent.mkdir(parents=True)
    torch.save(found["network"].state_dict(), path)
    return path
