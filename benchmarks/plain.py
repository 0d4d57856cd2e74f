"""Check that the baseline of ``speed.py``, a textbook iteration, gives the numbers of the package's trainer.

As a command: ``python benchmarks/plain.py``.
"""

from __future__ import annotations

from _steps import Setting, baseline_step, package_step


def main() -> None:
    """Two iterations of both."""
    setting = Setting("check", ((21, 24), (32, 36), (42, 48)), filters=32, concurrent=2, slope=0.3)
    for label, fast in (("without compiled functions", False), ("default", None)):
        plain, package = baseline_step(setting), package_step(setting, fast=fast)
        for iteration in (1, 2):
            expected, found = plain(), package()
            for name, value in expected.items():
                if abs(found[name] - value) > 2e-4 * max(1.0, abs(value)):
                    raise SystemExit(f"iteration {iteration}, {label}: {name} is {found[name]} instead of {value}")
        print(f"package, {label}: the same as the baseline", {key: round(value, 6) for key, value in found.items()})


if __name__ == "__main__":
    main()
