"""Directory Bridge backend: a JSON lines file under git."""
