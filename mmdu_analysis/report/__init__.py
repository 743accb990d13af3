"""The report: one page to send, or its tables for a paper or a model card."""

from mmdu_analysis.report.page import WrittenReport, write_report

__all__ = ["WrittenReport", "write_report"]
