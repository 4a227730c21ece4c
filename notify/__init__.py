"""WHAT is said and WHEN: statements, approval, translation, dispatch, timetables, and the ways in."""

__version__ = "0.1.0"
