"""Directory Bridge: identity-provider changes, journaled once and delivered to every directory."""

__version__ = "0.1.0"
