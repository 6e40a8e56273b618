"""Model weights: their sources and licences, the download, and the files on disk. Loads none."""
