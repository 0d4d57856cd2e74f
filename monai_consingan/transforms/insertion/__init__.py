"""Putting a lesion into a scan: donors, places, and the ways to paste."""
