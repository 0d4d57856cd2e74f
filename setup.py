"""Lists the packages; everything else about the project stands in setup.cfg.

MONAI bundles live in ``bundles/`` at the top level and are installed as ``monai_consingan/bundles``.
"""

from pathlib import Path

from setuptools import find_packages, setup

packages = find_packages(include=["monai_consingan", "monai_consingan.*"])
package_dir = {"": "."}
if Path("bundles").is_dir():
    packages.append("monai_consingan.bundles")
    package_dir["monai_consingan.bundles"] = "bundles"

setup(packages=packages, package_dir=package_dir)
