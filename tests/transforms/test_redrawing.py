"""The random transforms are handed their models, so that a training need not load what makes models."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import monai.transforms  # which loads matplotlib by itself
import numpy as np
before = set(sys.modules)
from monai_consingan.transforms import RandLesionRemovald, RandLesiond

class Models:
    task = "harmonization"
    find = redraw = print

image = np.zeros((1, 8, 8))
RandLesiond("image", [(image, image)], Models())
RandLesionRemovald("image")
above = ("matplotlib", *(f"monai_consingan.{name}" for name in ("workflows", "models", "engines", "figures", "cli")))
print([name for name in sys.modules if name.startswith(above) and name not in before])
"""


def test_constructing_them_loads_no_models_figures_or_workflows() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
