"""Both networks on functions compiled for the CPU by Numba, an optional dependency.

``choice`` tells where they can be used and pay, ``networks`` has the whole networks, ``layers`` what these are made of,
``winograd`` the convolutions, ``tiles`` what these work on, ``few_channels`` those from or to a few channels,
``product`` the product of matrices in them, ``norm`` and ``resample`` all else that is compiled, ``specialize`` the
compiling itself, and ``ahead`` that in two processes.
"""

from __future__ import annotations

from .choice import FastNetworks, fast_networks

__all__ = ["FastNetworks", "fast_networks"]
