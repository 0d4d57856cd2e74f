"""Sphinx: the pages in docs/, the README and the bundles' pages, and the reference from the docstrings.

The source folder is the project's root, so that the pages' links are the same here and in the repository.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import signature, stringify_signature

import monai_consingan

project = "monai-consingan"
copyright = "The monai-consingan developers"
version = release = monai_consingan.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "benchmarks/RESULTS.md", "bundles/*/docs/README.md", "docs/**"]
exclude_patterns = [".*", "build", "demo"]
myst_heading_anchors = 4

autodoc_default_options = {"members": True, "special-members": "__call__", "no-value": True}
autodoc_inherit_docstrings = False
napoleon_use_ivar = True
default_role = "literal"

# What the project itself documents must be found; other projects' names are not links, as that would take a network.
nitpicky = True
OTHERS = "collections|contextlib|ignite|monai|np|numpy|os|pathlib|torch"
OWN = "ArrayT|Background|ChannelKnowledge|CoarseGrid|CriticLosses|Donor|FastDiscriminator|FastGenerator|Files|Item|Turn"
INNER = rf"KeysCollection|MetaTensor|Path|(tuple|dict)\[~?[\w.]+|(.*\.)?({OWN})"
nitpick_ignore_regex = [("py:.*", rf"({OTHERS})\..*"), ("py:class", INNER)]

html_theme = "furo"
html_title = f"{project} {version}"
html_extra_path = ["index.html"]

CONTENTS = """
```{toctree}
:hidden:

docs/augment
docs/twins
docs/lesions
docs/cohort
docs/review
docs/reading
docs/challenge
docs/one-scan
docs/volumes
docs/nnunet
docs/other-loops
docs/clusters
docs/evaluating
docs/pipeline
docs/reproduce
docs/publishing
bundles/consingan_harmonization/docs/README
bundles/consingan_editing/docs/README
docs/reference/index
benchmarks/RESULTS
docs/limits
docs/citing
CHANGELOG
```
"""


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """The start page is the README, with the table of contents, which only Sphinx understands."""
    if name == root_doc:
        source[0] += CONTENTS


def skip_aliases(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Dictionary transforms have three names, ``...d``, ``...D`` and ``...Dict``: one is enough."""
    return True if getattr(obj, "__name__", name) != name else None


def real_arguments(app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str, returns: str) -> Any:
    """MONAI's ``MapTransform.__new__`` takes anything and hides what ``__init__`` takes."""
    if what != "class" or arguments != "(*args, **kwargs)":
        return None
    known = signature(obj.__init__, bound_method=True)
    return stringify_signature(known, show_return_annotation=False, unqualified_typehints=True), returns


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_contents)
    app.connect("autodoc-skip-member", skip_aliases)
    app.connect("autodoc-process-signature", real_arguments)
