"""The report of a run: one self-contained HTML page, a pure function of `ReportData`."""

from curation.report.page import ReportData, render

__all__ = ["ReportData", "render"]
