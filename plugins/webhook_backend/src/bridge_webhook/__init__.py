"""Directory Bridge backend that sends every change as a signed webhook."""

__version__ = "0.1.0"
