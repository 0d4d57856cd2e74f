"""Lesions with their labels made of noise by a ConSinGAN: are they lesions, and are they new?

``python benchmarks/free.py [--data FOLDER] [--patients 2] [--iterations 250]``. Of each patient one slice through the
lesion (20 mm, 64 x 64 pixels, four sequences, and the label as a fifth channel) trains a model of generation. It
then draws slices of new noise, of which the lowest stages are held at what the reconstruction starts from. What counts
was written down before the first run: the label is in one part of at least half the donor's area (*whole*), stands out
in t1ce by at least half as much as the donor's (*seen*), and is no copy (*Dice* of its label with the donor's, the
median; 1 is a copy). A way to make lesions needs nearly all whole and seen, with a Dice well below 1.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from _command import command_line, patients_of
from _generated import Subject
from _measure import table
from PIL import Image
from scipy import ndimage

from monai_consingan.data.pyramid import resize
from monai_consingan.inferers import noise_of
from monai_consingan.models import TrainedModel, train_model
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms.generation.warped import warp_lesion

_SIDE, _DIAMETER = 64, 20.0


def slice_of(subject: Subject) -> torch.Tensor:
    """The middle slice through a patient's lesion, sequences and label in [-1, 1], (5, 64, 64)."""
    crop = warp_lesion(subject.example, _DIAMETER, np.random.RandomState(0), strength=0.0)
    middle = np.argwhere(crop.label > 0).mean(axis=0).round().astype(int)
    rows, columns = (
        np.clip(np.arange(_SIDE) + at - _SIDE // 2, 0, size - 1)
        for at, size in zip(middle, crop.label.shape[:2], strict=False)
    )
    image = crop.image[:, rows][:, :, columns, middle[2]]
    low, high = np.percentile(image, [1, 99.5], axis=(1, 2))[:, :, None, None]
    label = crop.label[rows][:, columns, middle[2]] > 0
    scaled = np.clip(2 * (image - low) / (high - low) - 1, -1, 1)
    return torch.from_numpy(np.concatenate([scaled, np.where(label, 1, -1)[None]]).astype(np.float32))


@torch.no_grad()
def drawn(model: TrainedModel, real: torch.Tensor, held: int, number: int) -> np.ndarray:
    """A slice of new noise, but for the lowest stages, (5, 64, 64)."""
    generator = model.generator
    noise = [
        body.fixed_noise if stage < held else noise_of(generator, stage, generator.stage_sizes[stage], 0, number, 0)
        for stage, body in enumerate(generator.body)
    ]
    first = resize(real[None], generator.stage_sizes[0]).clamp(-1, 1) if held else noise[0]
    return np.asarray(generator(first, noise[1:])[0])


@dataclass(frozen=True)
class Seen:
    """What a slice shows."""

    label: np.ndarray
    parts: int
    contrast: float

    @classmethod
    def of(cls, image: np.ndarray) -> Seen:
        """Look at a slice, (5, 64, 64)."""
        label = image[-1] > 0
        around = (ndimage.distance_transform_edt(~label) > 2) & (ndimage.distance_transform_edt(~label) <= 8)
        seen = bool(label.any() and around.any())
        contrast = float(image[0][label].mean() - image[0][around].mean()) if seen else 0.0
        return cls(label, int(ndimage.label(label)[1]), contrast)


def main() -> None:
    """Run the command."""
    parser = command_line(__doc__, "data", "seed")
    parser.add_argument("--patients", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=250, help="a stage (default 250)")
    parser.add_argument("--count", type=int, default=20, help="slices of a patient (default 20)")
    parser.add_argument("--picture", metavar="PNG")
    arguments = parser.parse_args()
    settings = TrainingSettings("generation", stages=4, min_size=16, iterations=arguments.iterations, channels=32)
    found: dict[int, list[tuple[bool, bool, float]]] = {}
    rows = []
    for patient in patients_of("free", arguments.data)[: arguments.patients]:
        real = slice_of(Subject(patient))
        begin = time.process_time()
        model = train_model(real[None], settings, seed=arguments.seed)
        print(f"  {patient.name}: {time.process_time() - begin:.0f} s of a core", file=sys.stderr, flush=True)
        donor = Seen.of(real.numpy())
        shown = [real.numpy()]
        for held in range(settings.stages):
            for number in range(arguments.count):
                image = drawn(model, real, held, number)
                made = Seen.of(image)
                dice = 2 * (made.label & donor.label).sum() / max(1, made.label.sum() + donor.label.sum())
                whole = made.parts == 1 and made.label.sum() >= 0.5 * donor.label.sum()
                found.setdefault(held, []).append((whole, made.contrast >= 0.5 * donor.contrast, float(dice)))
                if number < 3:
                    shown.append(image)
        rows.append(np.concatenate([np.concatenate([image[0], image[3], image[-1]]) for image in shown], axis=1))
    if arguments.picture:
        Image.fromarray(((np.concatenate(rows) + 1) * 127.5).astype(np.uint8)).save(arguments.picture)
    lines = []
    for held, values in found.items():
        whole, seen, dice = zip(*values, strict=True)
        line = {"stages held": held, "n": len(values), "whole": np.mean(whole), "seen": np.mean(seen)}
        lines.append({**line, "whole and seen": np.mean(np.logical_and(whole, seen)), "dice": float(np.median(dice))})
    print(table(lines))


if __name__ == "__main__":
    main()
