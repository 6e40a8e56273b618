"""Where models come from, which files they are, and where they lie on the disk. Loads none."""
