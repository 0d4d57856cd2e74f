"""``python -m monai_consingan`` is the command ``monai-consingan``."""

from __future__ import annotations

from monai_consingan.cli import main

if __name__ == "__main__":
    main()
