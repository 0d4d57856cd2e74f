"""What was published on brain metastases and ConSinGAN, to stand beside new numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monai_consingan.errors import ConSinGANError, check_least

SIDE = 250
"""Height and width that slices were resized to, in pixels."""


@dataclass(frozen=True)
class PublishedSetting:
    """Numbers of one setting.

    Args:
        preset: the preset with its settings (:py:data:`monai_consingan.workflows.PRESETS`).
        minutes: minutes that the training of one model took.
        fid: FID between real slices and results; ``None`` where none was published.
    """

    preset: str
    minutes: float
    fid: float | None = None

    @property
    def name(self) -> str:
        """What the setting was called."""
        return f"setting {self.preset[-1]}"


@dataclass(frozen=True)
class PublishedGroup:
    """Settings that were compared on the same slices.

    Args:
        task: ``"harmonization"`` or ``"editing"``.
        slices: number of slices.
        settings: the settings.
        naive_fid: FID between real slices and naive images; ``None`` where none was published.
    """

    task: str
    slices: int
    settings: tuple[PublishedSetting, ...]
    naive_fid: float | None = None

    @property
    def name(self) -> str:
        """Task and settings, for file names and headings."""
        return f"{self.task}-{'-'.join(setting.preset[-1] for setting in self.settings)}"


GROUPS = (
    PublishedGroup(
        "harmonization",
        9,
        (PublishedSetting("harmonization-1", 21, 99.386), PublishedSetting("harmonization-2", 9, 105.757)),
        10.018,
    ),
    PublishedGroup(
        "harmonization",
        3,
        (PublishedSetting("harmonization-3", 42, 88.07), PublishedSetting("harmonization-4", 16, 94.04)),
        88.96,
    ),
    PublishedGroup(
        "editing",
        4,
        (PublishedSetting("editing-1", 9, 187.324), PublishedSetting("editing-2", 6, 184.125)),
        4.463,
    ),
    PublishedGroup("editing", 4, (PublishedSetting("editing-3", 34), PublishedSetting("editing-4", 14))),
)
"""The groups as published. Of the last one only the times were."""


def chosen_groups(presets: Iterable[str] | None = None, slices: int | None = None) -> tuple[PublishedGroup, ...]:
    """The groups with some of the settings, on at most so many slices each.

    Args:
        presets: names of presets; ``None`` for all eight.
        slices: most slices of a group; ``None`` for as many as published.

    Raises:
        ConSinGANError: a preset that was not published, none at all, or less than one slice.
    """
    known = [setting.preset for group in GROUPS for setting in group.settings]
    wanted = known if presets is None else list(presets)
    for preset in wanted:
        if preset not in known:
            raise ConSinGANError(f"settings has {preset!r}, but must have some of {', '.join(known)}.")
    if not wanted:
        raise ConSinGANError(f"settings is empty: give some of {', '.join(known)}.")
    check_least(1, slices=slices)
    groups = []
    for group in GROUPS:
        settings = tuple(setting for setting in group.settings if setting.preset in wanted)
        if settings:
            count = group.slices if slices is None else min(slices, group.slices)
            groups.append(PublishedGroup(group.task, count, settings, group.naive_fid))
    return tuple(groups)
