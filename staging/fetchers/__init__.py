"""Fetchers: from an identifier to bytes, one module a family of URI schemes."""
