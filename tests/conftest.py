"""Settings of the whole suite."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run, and no limit on the time of one: the first call of a library may compile or load.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("suite")
