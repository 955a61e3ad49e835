"""Files: microscope formats read, results exported, names found and given, writing whole files."""
