from __future__ import annotations

import numpy as np

from monai_consingan.data import example, load_label, load_scan


def test_example_is_what_it_says() -> None:
    found = example()
    image = load_scan(found.image)
    label = load_label(found.label, image=image)
    assert tuple(image.shape) == tuple(label.shape) == (1, 192, 224, 10)
    area = np.asarray(label[0] > 0).sum(axis=(0, 1))
    assert all(area[z] > 100 for z in found.tumour_slices)
    assert all(area[z] == 0 for z in found.free_slices)
    assert [*found.tumour_slices, *found.free_slices] == list(range(10))
    np.testing.assert_allclose(np.linalg.norm(image.affine[:3, :3], axis=0), [0.78125, 0.78125, 6.5], rtol=1e-6)


def test_source_has_licence_and_attribution() -> None:
    text = example().source.read_text(encoding="utf-8")
    for needed in ("Copyright 2017 Harvard Medical School", "AS IS", "RNYFUYE9", "licenses/by/3.0", "glioblastoma"):
        assert needed in text
