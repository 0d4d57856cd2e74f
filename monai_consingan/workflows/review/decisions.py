"""What was decided on the page, and whether it is about the run that it is used for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_consingan.data import file_sha256
from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.text_files import read_json_dictionary

FORMAT = "monai-consingan decisions 1"
"""What a file of decisions calls itself."""

VERDICTS = ("accept", "reject", "unsure")
"""What can be decided of a lesion."""


@dataclass(frozen=True)
class Decisions:
    """What was decided of each lesion of a run.

    Args:
        path: their file.
        run: the run.
        verdicts: one of ``VERDICTS`` for each lesion, by its key.
    """

    path: Path
    run: str
    verdicts: Mapping[str, str]

    def require(self, run: str, keys: Collection[str]) -> None:
        """Refuse decisions of another run, on lesions that it has not, or not on all that it has.

        Args:
            run: the run that they are to be used for.
            keys: its lesions.

        Raises:
            ConSinGANError: they do not fit.
        """
        if self.run != run:
            raise ConSinGANError(
                f"decisions {self.path} are of another run: give those that were saved on this folder's review.html."
            )
        unknown, missing = sorted(self.verdicts.keys() - set(keys)), sorted(set(keys) - self.verdicts.keys())
        if unknown:
            raise ConSinGANError(
                f"decisions {self.path} tell of {len(unknown)} lesions that are not there, such as {unknown[0]}: give "
                "those that were saved on this folder's review.html."
            )
        if missing:
            raise ConSinGANError(
                f"decisions {self.path} say nothing of {len(missing)} of {len(keys)} lesions, such as {missing[0]}: "
                "decide on all of them, or say what becomes of the rest (--rest keep or --rest drop)."
            )

    def outcome(self, run: str, keys: Collection[str], *, unsure: str, rest: str) -> tuple[dict[str, Any], set[str]]:
        """What becomes of the lesions of a run.

        Args:
            run: the run.
            keys: its lesions.
            unsure: ``"keep"`` or ``"drop"`` what was not decided for good.
            rest: ``"keep"`` or ``"drop"`` what nothing was decided on; ``"error"`` refuses the decisions.

        Returns:
            What is told of it, and the keys of those that are dropped.

        Raises:
            ConSinGANError: the decisions do not fit (:py:meth:`require`), or no such choice.
        """
        check_choice(("keep", "drop"), unsure=unsure)
        check_choice(("keep", "drop", "error"), rest=rest)
        self.require(run, set(keys) if rest == "error" else set(keys) & self.verdicts.keys())
        by_verdict = {
            verdict: sorted(key for key in keys if self.verdicts.get(key, "rest") == verdict)
            for verdict in (*VERDICTS, "rest")
        }
        dropped = by_verdict["reject"] + (by_verdict["unsure"] if unsure == "drop" else [])
        dropped += by_verdict["rest"] if rest == "drop" else []
        told = {
            "decisions_sha256": file_sha256(self.path),
            "unsure": unsure,
            "rest": rest,
            "accepted": len(by_verdict["accept"]),
            "rejected_lesions": by_verdict["reject"],
            "unsure_lesions": by_verdict["unsure"],
            "not_decided": by_verdict["rest"],
        }
        return told, set(dropped)


def read_decisions(path: str | Path) -> Decisions:
    """Read what the page saved.

    Args:
        path: the file, ``decisions.json``.

    Raises:
        ConSinGANError: it is missing or damaged, or something else.
    """
    remedy = "give the decisions.json that was saved on a review.html"
    found = read_json_dictionary(path, "decisions", remedy=remedy)
    if found.get("format") != FORMAT:
        raise ConSinGANError(f"decisions {path} have the format {found.get('format')!r}, not {FORMAT!r}: {remedy}.")
    run, verdicts = found.get("run"), found.get("decisions")
    if not isinstance(run, str) or not isinstance(verdicts, dict):
        raise ConSinGANError(f"decisions {path} lack the run or the decisions: {remedy}.")
    wrong = [key for key, verdict in verdicts.items() if verdict not in VERDICTS]
    if wrong:
        raise ConSinGANError(
            f"decisions {path} have the verdict {verdicts[wrong[0]]!r} on {wrong[0]}, not one of "
            f"{', '.join(VERDICTS)}: {remedy}."
        )
    return Decisions(Path(path), run, verdicts)
