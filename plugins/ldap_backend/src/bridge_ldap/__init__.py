"""Directory Bridge backend that keeps an LDAP directory in step."""

__version__ = "0.1.0"
