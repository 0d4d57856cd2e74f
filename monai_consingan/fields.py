"""Settings as dataclasses, some of whose fields the command line offers as options."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from monai_consingan.errors import ConSinGANError, check_least


@dataclass(frozen=True)
class Settings:
    """Base of all settings.

    Raises:
        ConSinGANError: a field is none of the choices that its :py:func:`option` has, or below what it is at least, or
            above what it is at most.
    """

    def __post_init__(self) -> None:
        for entry in fields(self):
            choices, least, most = (entry.metadata.get(name) for name in ("choices", "at_least", "at_most"))
            name, value = entry.name.replace("_", " "), getattr(self, entry.name)
            values = value if isinstance(value, tuple) else () if value is entry.default else (value,)
            if choices is not None and not all(value in choices for value in values):
                raise ConSinGANError(f"{name} is {value!r}, but must be one of {', '.join(choices)}.")
            if least is not None:
                check_least(least, **{name: value})
            if most is not None and not value <= most:
                raise ConSinGANError(f"{name} is {value}, but must be {most:g} or less.")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values, which JSON gives back alike."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def option(default: Any, help: str, **how: Any) -> Any:
    """A field of settings that is also an option of the command line, of the type and name of the field.

    Args:
        default: the field's default, or what makes it.
        help: the help text.
        how: ``choices``, the values to choose from, ``at_least`` and ``at_most``, the smallest and the largest number
            that make sense, ``flag``, another name on the command line, and whatever else ``click.option`` takes.

    Example::

        @dataclass(frozen=True)
        class Sizes(Settings):
            edge_mm: float = option(2.0, "Distance to keep from the edge.", flag="edge", metavar="MM")
    """
    makes: dict[str, Any] = {"default_factory" if callable(default) else "default": default}
    return field(**makes, metadata={"help": help, **how})
