"""Random transforms raise what is wrong with a pipeline, and leave out in silence only what has no place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError, ConSinGANWarning, NoPlaceError
from monai_consingan.transforms import (
    RandLesion,
    RandLesionBlob,
    RandLesionBlobd,
    RandLesiond,
    RandLesionRemoval,
    RandLesionRemovald,
    RandPasteLesiond,
    RandShuffleTiles,
    RandShuffleTilesd,
    RemoveLesion,
)

SHAPE = (40, 44, 6)


def case() -> tuple[np.ndarray, np.ndarray]:
    """A head with a lesion beside its middle."""
    grid = np.ogrid[tuple(slice(n) for n in SHAPE)]
    radius = sum(((g - n / 2) / (n / 2 - 2)) ** 2 for g, n in zip(grid[:2], SHAPE, strict=False))
    image = np.where(radius < 1, np.random.RandomState(0).normal(100, 4, SHAPE), 0)[None].astype(np.float32)
    label = np.zeros(image.shape, np.int16)
    label[0, 12:15, 20:23, 2:4] = 1
    image[label > 0] = 180
    return image, label


IMAGE, LABEL = case()
PLAIN: dict[str, Any] = {"axis": 2, "scale_range": (1, 1), "rotate_range": 0}


class Models:
    """Models that know no host, or cannot redraw a lesion."""

    def __init__(self, task: str, model: Any = None, error: Exception | None = None) -> None:
        self.task, self.model, self.error = task, model, error

    def find(self, host: Any, label: Any = None) -> Any:
        return self.model

    def redraw(self, *given: Any) -> Any:
        if self.error is not None:
            raise self.error
        return given[0]


def with_nan(values: np.ndarray) -> np.ndarray:
    out = values.astype(np.float32)
    out[0, 0, 0] = np.nan
    return out


NAN = with_nan(IMAGE)
THREE = np.concatenate([LABEL] * 3)
MISUSED: dict[str, Callable[[], tuple[Any, ...]]] = {
    "label has shape (3,": lambda: (IMAGE, THREE),
    "label has shape (1, 39,": lambda: (IMAGE, LABEL[:, 1:]),
    "label has shape (40,": lambda: (IMAGE, LABEL[0]),
    "label holds NaN": lambda: (IMAGE, with_nan(LABEL)),
    "image holds NaN": lambda: (NAN, LABEL),
    "image has shape (44, 6)": lambda: (IMAGE[0, 0], LABEL[0, 0]),
    "image has shape ()": lambda: ("scan.nii.gz", LABEL),
    "image is constant": lambda: (IMAGE * 0, LABEL),
    "of type torch.bfloat16": lambda: (torch.from_numpy(IMAGE).to(torch.bfloat16), LABEL),
}


@pytest.mark.parametrize("words", MISUSED)
@pytest.mark.parametrize("kind", ["paste", "redraw", "remove", "fill"])
def test_what_is_wrong_with_the_data_is_raised_in_every_call(words: str, kind: str) -> None:
    transforms: dict[str, Callable[[], Any]] = {
        "paste": lambda: RandLesion([case()], **PLAIN),
        "redraw": lambda: RandLesion([case()], Models("harmonization", 1), **PLAIN),
        "remove": lambda: RandLesionRemoval(Models("editing", 1), axis=2),
        "fill": lambda: RandLesionRemoval(axis=2),
    }
    made, given = transforms[kind](), MISUSED[words]()
    for seed in range(2):
        with pytest.raises(ConSinGANError) as caught:
            made.set_random_state(seed)(*given)
        assert words in str(caught.value) and not isinstance(caught.value, NoPlaceError)


@pytest.mark.parametrize("dictionary", [RandLesiond, RandPasteLesiond, RandLesionRemovald])
@pytest.mark.parametrize("words", ["label has shape (3,", "image holds NaN"])
def test_so_do_the_dictionary_versions(dictionary: Any, words: str) -> None:
    image, label = (MetaTensor(torch.from_numpy(part)) for part in MISUSED[words]())
    given = {} if dictionary is RandLesionRemovald else {"donors": [case()]}
    with pytest.raises(ConSinGANError) as caught:
        dictionary("image", axis=2, **given)({"image": image, "label": label})
    assert words in str(caught.value)


DONORS: dict[str, Any] = {
    "a donor has shape": lambda: (IMAGE[..., 0], LABEL[..., 0]),
    "a donor has shape (2,": lambda: (np.concatenate([IMAGE] * 2), LABEL),
    "a donor's label has shape": lambda: (IMAGE, THREE),
    "a donor's label is empty": lambda: (IMAGE, LABEL * 0),
    "a donor's label holds NaN": lambda: (IMAGE, with_nan(LABEL)),
    "a donor holds NaN": lambda: (NAN, LABEL),
}


@pytest.mark.parametrize("words", DONORS)
def test_wrong_donors_are_raised(words: str) -> None:
    with pytest.raises(ConSinGANError) as caught:
        RandLesion([DONORS[words]()], **PLAIN)(IMAGE)
    assert words in str(caught.value)


def test_region_and_match_are_raised() -> None:
    for region, words in ((THREE, "region has shape"), (with_nan(np.ones_like(LABEL)), "region holds NaN")):
        with pytest.raises(ConSinGANError, match=words):
            RandLesion([case()], **PLAIN)(IMAGE, None, region)
    normal = IMAGE - 150  # behind a z-score most tissue is about 0
    with pytest.raises(ConSinGANError, match='use match="mean_std"'):
        RandLesion([(normal, LABEL)], **PLAIN)(normal)


BAD: dict[str, dict[str, Any]] = {
    "prob is 2": {"prob": 2},
    "prob is nan": {"prob": float("nan")},
    "prob is '1'": {"prob": "1"},
    "number is 0": {"number": 0},
    "number is (2, 1)": {"number": (2, 1)},
    "number is 1.5": {"number": 1.5},
    "number is 'two'": {"number": "two"},
    "number is nan": {"number": float("nan")},
    "method is 'paste'": {"method": "paste"},
    "method 'consingan' uses a model": {"method": "consingan"},
    "method is 'blur'": {"fallback": "blur"},
    'blend "blur"': {"blend": "blur"},
    'match "blur"': {"match": "blur"},
    "redrawn is 'band'": {"redrawn": "band"},
    "flip_prob is -0.1": {"flip_prob": -0.1},
    "rotate_range is -1": {"rotate_range": -1},
    "rotate_range is inf": {"rotate_range": float("inf")},
    "scale_range is (0, 1)": {"scale_range": (0, 1)},
    "scale_range is 1.0": {"scale_range": 1.0},
    "scale_range is (1, nan)": {"scale_range": (1, float("nan"))},
    "feather_mm is -1": {"feather_mm": -1},
    "feather_mm is inf": {"feather_mm": float("inf")},
    "ring_mm is (8, 2)": {"ring_mm": (8, 2)},
    "ring_mm is (2, 2)": {"ring_mm": (2, 2)},
    "ring_mm is (2, inf)": {"ring_mm": (2, float("inf"))},
    "axis 3 does not exist": {"axis": 3},
    "axis z does not exist": {"axis": "z"},
    "axis 1.5 does not exist": {"axis": 1.5},
    "edge_mm is -1": {"edge_mm": -1},
    "clearance_mm is nan": {"clearance_mm": float("nan")},
    "spacing 0 does not fit": {"spacing": 0},
    "spacing (1, 1, 1, 1) does not fit": {"spacing": (1, 1, 1, 1)},
    "spacing (1, nan, 1) does not fit": {"spacing": (1, float("nan"), 1)},
    "spacing mm does not fit": {"spacing": "mm"},
    "lesion_labels is []": {"lesion_labels": []},
    "lesion_labels is 'core'": {"lesion_labels": ["core"]},
    "donors is []": {"donors": []},
    "donors is 'scan.nii.gz'": {"donors": "scan.nii.gz"},
    "donors is {": {"donors": {"image": "a", "label": "b"}},
    "a donor has no label": {"donors": [{"image": "a"}]},
    "a donor has 3 parts": {"donors": [("a", "b", "c")]},
    "a donor has the type str": {"donors": ["scan.nii.gz"]},
}


@pytest.mark.parametrize("words", BAD)
def test_wrong_arguments_of_lesions_are_refused_at_construction(words: str) -> None:
    given = {"donors": [("image", "label")], **BAD[words]}
    for make in (RandLesion, lambda **given: RandLesiond("image", **given)):
        with pytest.raises(ConSinGANError) as caught:
            make(**given)
        assert words in str(caught.value)


BAD_REMOVALS: dict[str, dict[str, Any]] = {
    "prob is -1": {"prob": -1},
    "methods names": {"methods": "blur"},
    "methods names nothing": {"methods": ()},
    'symmetry "left" is unknown': {"symmetry": "left"},
    "symmetry is nan": {"symmetry": float("nan")},
    "symmetry is None": {"symmetry": None},
    "margin_mm is -1": {"margin_mm": -1},
    "axis 3 does not exist": {"axis": 3},
    "flip_axis 3 does not exist": {"flip_axis": 3},
    "flip_axis 1 runs across": {"axis": 1, "flip_axis": 1},
    "spacing -1 does not fit": {"spacing": -1},
    "redrawn is 'band'": {"redrawn": "band"},
    "lesion_labels is []": {"lesion_labels": []},
    "lesion_labels is 1": {"lesion_labels": 1},
    "lesion_labels is 'one'": {"lesion_labels": ["one"]},
}


@pytest.mark.parametrize("words", BAD_REMOVALS)
def test_wrong_arguments_of_removals_are_refused_at_construction(words: str) -> None:
    for make in (RandLesionRemoval, lambda **given: RandLesionRemovald("image", **given)):
        with pytest.raises(ConSinGANError) as caught:
            make(**BAD_REMOVALS[words])
        assert words in str(caught.value)


BAD_TRAININGS: list[tuple[Any, str, dict[str, Any]]] = [
    (RandLesionBlob, "prob is 2", {"prob": 2}),
    (RandLesionBlob, "radius is 0.1", {"radius": 0.1}),
    (RandLesionBlob, "radius is ('a', 1)", {"radius": ("a", 1)}),
    (RandLesionBlob, "softness is (0, nan)", {"softness": (0, float("nan"))}),
    (RandLesionBlob, "irregularity is 'no'", {"irregularity": "no"}),
    (RandLesionBlob, "contents has ['fog']", {"contents": "fog"}),
    (RandLesionBlob, "number is None", {"number": None}),
    (RandShuffleTiles, "prob is 2", {"prob": 2}),
    (RandShuffleTiles, "tiles is 'many'", {"tiles": "many"}),
    (RandShuffleTiles, "swaps is inf", {"swaps": float("inf")}),
]


@pytest.mark.parametrize(("transform", "words", "given"), BAD_TRAININGS)
def test_wrong_arguments_of_trainings_are_refused_at_construction(
    transform: Any, words: str, given: dict[str, Any]
) -> None:
    dictionary = {RandLesionBlob: RandLesionBlobd, RandShuffleTiles: RandShuffleTilesd}[transform]
    for make in (transform, lambda **given: dictionary("image", **given)):
        with pytest.raises(ConSinGANError) as caught:
            make(**given)
        assert words in str(caught.value)


@pytest.mark.parametrize("transform", [RandLesionBlob, RandShuffleTiles])
def test_wrong_images_of_trainings_are_raised(transform: Any) -> None:
    for image, words in ((NAN, "image holds NaN"), (IMAGE[0, 0], r"image has shape \(44, 6\)")):
        for prob in (0.0, 1.0):
            with pytest.raises(ConSinGANError, match=words):
                transform(prob=prob)(image)
    dictionary = {RandLesionBlob: RandLesionBlobd, RandShuffleTiles: RandShuffleTilesd}[transform]
    with pytest.raises(ConSinGANError, match=r"b has shape .* but a "):
        dictionary(["a", "b"])({"a": IMAGE, "b": IMAGE[:, 1:]})


def test_what_has_no_place_stays_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConSinGANWarning)
        for given, region in (({"edge_mm": 100.0}, None), ({}, np.zeros_like(LABEL))):
            paste = RandLesion([case()], **PLAIN, **given)  # type: ignore[arg-type]
            out = paste(IMAGE, None, region)
            assert not out.mask.any() and "fits nowhere" in paste.log[0]["reason"]
        ring = LABEL.copy()
        ring[0, 11:18, 18:25, 2:4] = 1
        ring[0, 13:16, 20:23, 2:4] = 0
        tiny = RandLesion([(IMAGE, ring)], **{**PLAIN, "scale_range": (0.01, 0.01)})
        assert not tiny.set_random_state(0)(IMAGE).mask.any() and "no voxel" in tiny.log[0]["reason"]
        removal = RandLesionRemoval(methods="mirror", axis=2)
        both = np.maximum(LABEL, LABEL[:, ::-1])
        assert removal(IMAGE, both).image is IMAGE and "cannot be removed" in removal.log["reason"]


@pytest.mark.parametrize("why", ["none of this host", "too large"])
def test_a_fallback_warns_once(why: str) -> None:
    model = (None, None) if why == "none of this host" else (1, NoPlaceError("too large."))
    lesion = RandLesion([case()], Models("harmonization", *model), **PLAIN)
    removal = RandLesionRemoval(Models("editing", *model), axis=2)
    for transform, given in ((lesion, (IMAGE,)), (removal, (IMAGE, LABEL))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for seed in range(3):
                transform.set_random_state(seed)(*given)
        told = [str(one.message) for one in caught if one.category is ConSinGANWarning]
        assert len(told) == 1 and why in told[0]
    assert lesion.log[0]["how"] == "tissue" and removal.log["filled"] == 1


def test_other_errors_of_a_model_are_raised() -> None:
    given = (1, ConSinGANError("damaged."))
    with pytest.raises(ConSinGANError, match="damaged"):
        RandLesion([case()], Models("harmonization", *given), **PLAIN)(IMAGE)
    with pytest.raises(ConSinGANError, match="damaged"):
        RandLesionRemoval(Models("editing", *given), axis=2)(IMAGE, LABEL)


def test_the_next_method_is_for_what_has_no_place_only() -> None:
    both = np.maximum(LABEL, LABEL[:, ::-1])
    assert RemoveLesion(("mirror", "biharmonic"), axis=2)(IMAGE, both).method == "biharmonic"
    with pytest.raises(ConSinGANError, match="image holds NaN"):
        RemoveLesion(("mirror", "biharmonic"), axis=2)(NAN, LABEL)
