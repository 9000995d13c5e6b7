"""Directory Bridge backend that keeps tables of a SQL database in step."""

__version__ = "0.1.0"
