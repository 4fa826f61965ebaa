"""Formats: what makes two files of a format equivalent though their bytes differ. A module for each family."""
