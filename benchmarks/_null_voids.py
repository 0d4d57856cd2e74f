"""Lesion-shaped regions of healthy tissue to be filled: what was there is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from _lesion_shapes import REACH, SIDE, lesion_shape, places, put, random_of
from _null_pastes import DIAMETERS_MM, Window, host_windows
from _patients import Patient
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import anatomical_mirror

_TRIES = 200
_APART = 2  # pixels between a void and its mirrored place


@dataclass(frozen=True)
class NullVoid:
    """Healthy tissue that is voided.

    Args:
        window: the part of a slice that it lies in.
        number: which of the patient's.
        mask: what is voided, of the whole slice's shape.
        diameter_mm: of a disk of its area.
    """

    window: Window
    number: int
    mask: np.ndarray
    diameter_mm: float

    @property
    def truth(self) -> np.ndarray:
        """The slice as it is, (H, W), float32."""
        return self.window.patient.image[..., self.window.slice]

    @property
    def image(self) -> np.ndarray:
        """The slice with the brightest value instead of what is voided, as an enhancing lesion is bright."""
        return np.where(self.mask, self.truth.max(), self.truth)

    @property
    def group(self) -> str:
        """The patient's name."""
        return self.window.patient.name


def mirrored_healthy(patient: Patient) -> np.ndarray:
    """Where the other hemisphere is healthy at the same place, of the volume's shape."""
    healthy = patient.healthy[None].astype(np.uint8)
    mirrored = anatomical_mirror(healthy, patient.affine, symmetry=patient.symmetry, axis=2, mode="nearest")
    return np.asarray(mirrored.image[0] > 0)


def null_voids(patients: Sequence[Patient], *, per_patient: int, windows: int, seed: int) -> Iterator[NullVoid]:
    """Voids of every patient.

    The shape is that of a slice of a lesion of any of the patients, turned, flipped, and scaled to a diameter drawn
    from 8 to 25 mm. It is put into a random place of a window at which it and all within 10 pixels are healthy brain,
    and so is its mirrored place in the other hemisphere, which is 2 pixels or more away from it.

    Args:
        patients: one or more; those without such places are left out.
        per_patient: voids of a patient.
        windows: windows of a patient, which share them.
        seed: decides everything; of other patients a patient's voids only take the shapes.

    Raises:
        ConSinGANError: no patient has such places.
    """
    found = 0
    for patient in patients:
        mirrored = mirrored_healthy(patient)
        try:
            taken = host_windows(patient, windows, seed, patient.healthy & mirrored)
        except ConSinGANError:
            continue
        for number in range(per_patient):
            void = _null_void(taken[number % windows], mirrored, patients, number, seed)
            if void is not None:
                found += 1
                yield void
    if not found:
        raise ConSinGANError("No patient has a place that is healthy in both hemispheres: give other patients.")


def _null_void(
    window: Window, mirrored: np.ndarray, patients: Sequence[Patient], number: int, seed: int
) -> NullVoid | None:
    """A void in a window; None where nothing fits."""
    patient = window.patient
    random = random_of(seed, patient.name, "void", number)
    allowed, other = window.take(patient.healthy), window.take(mirrored)
    for _ in range(_TRIES):
        diameter = float(random.uniform(*DIAMETERS_MM))
        donor = patients[random.integers(len(patients))]
        shape = np.pad(lesion_shape(donor, diameter / float(np.sqrt(np.prod(patient.spacing))), random), REACH)
        near = ndimage.distance_transform_edt(~shape) <= REACH
        free = {tuple(place) for place in places(allowed, near)}
        both = sorted(free & {tuple(place) for place in places(other, shape)})
        if not both:
            continue
        mask = window.whole(put(shape, np.array(both[random.integers(len(both))]), (SIDE, SIDE)))
        if not (mask & _mirrored(patient, ndimage.binary_dilation(mask, iterations=_APART))).any():
            return NullVoid(window, number, mask, diameter)
    return None


def _mirrored(patient: Patient, mask: np.ndarray) -> np.ndarray:
    """Where a mask of a slice, (H, W), lies in the other hemisphere."""
    volume = mask[None, ..., None].astype(np.uint8)
    mirrored = anatomical_mirror(volume, patient.affine, symmetry=patient.symmetry, axis=2, mode="nearest")
    return np.asarray(mirrored.image[0, ..., 0] > 0)
