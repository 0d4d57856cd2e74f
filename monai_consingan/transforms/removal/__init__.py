"""Taking a lesion out of a scan: the ways to fill its place."""
