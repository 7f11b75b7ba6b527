"""What people take away of a run: one report, as text, JSON or a single HTML file."""

from gradreach.report.report import Report

__all__ = ["Report"]
