"""What a user asks of new lesions."""

from __future__ import annotations

from dataclasses import dataclass

from monai_consingan.errors import ConSinGANError
from monai_consingan.fields import Settings, option

GENERATION_METHODS = ("warped", "procedural", "patches", "painted")
"""Ways to make a lesion: a donor's, deformed; or a new outline with the donor's profile, and texture of its spectrum,
patches of its texture, or that of a ConSinGAN of all donors."""

KINDS = ("solid", "ring", "necrotic")
"""What lesions look like in the leading sequence: alike throughout, dark inside a rim, or with dark parts elsewhere."""


@dataclass(frozen=True)
class LesionSettings(Settings):
    """What new lesions depend on, besides the donors.

    Args:
        method: one of ``GENERATION_METHODS``.
        diameter: smallest and largest diameter in mm, of the ball of the lesion's volume; all between have the same
            chance, on a scale of ratios. ``None`` draws those of the donors, each a little off.
        kind: one of ``KINDS``; ``None`` draws what the donors show.
        lead: the sequence (its name, or its number from 0) in which lesions are measured; ``None`` takes the one in
            which most donors stand out most.
        oedema: whether what touches a donor's lesion in its label with values that are no lesion's is made too.
        min_cnr: smallest contrast-to-noise ratio in the leading sequence, brighter or darker.
        attempts: how often a lesion that does not pass its checks is drawn again.
        lesion_labels: label values that are lesion; empty for all.
        preset: how long the network of the method ``"painted"`` is trained: ``"quick"`` or ``"standard"``.
        seed: seed of everything random.

    Raises:
        ConSinGANError: a setting is out of range.
    """

    method: str = option("warped", "How lesions are made. [default: warped]", choices=GENERATION_METHODS)
    diameter: tuple[float, float] | None = None
    kind: str | None = option(None, "What they look like. [default: what the donors show]", choices=KINDS)
    lead: int | str | None = None
    oedema: bool = option(
        False, "Also make what the donors' labels have around the lesions of --lesion-labels, such as oedema."
    )
    min_cnr: float = option(2.0, "Smallest contrast-to-noise ratio. [default: 2]", at_least=0)
    attempts: int = option(20, "Draws that a lesion gets until it passes its checks. [default: 20]", at_least=1)
    lesion_labels: tuple[int, ...] = ()
    preset: str = option("quick", "How long --method painted trains. [default: quick]", choices=("quick", "standard"))
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lesion_labels", tuple(self.lesion_labels))
        super().__post_init__()
        if self.diameter is not None:
            sizes = tuple(float(size) for size in self.diameter)
            object.__setattr__(self, "diameter", sizes)
            if len(sizes) != 2 or not 0.5 <= sizes[0] <= sizes[1] <= 200:
                raise ConSinGANError(f"diameter is {sizes}: give two rising numbers of mm, from 0.5 to 200.")
