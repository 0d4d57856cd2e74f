"""Figures of slices before and after, and reports that hold them."""

from __future__ import annotations

from monai_consingan.figures.contact_sheet import save_contact_sheet
from monai_consingan.figures.lesion_sheet import save_lesion_sheet
from monai_consingan.figures.panel import Panel, difference_panel, save_panel
from monai_consingan.figures.report import ReportSection, write_html_report
from monai_consingan.figures.report_pdf import write_pdf_report, write_reports
from monai_consingan.figures.view import SliceView, slice_view

__all__ = [
    "Panel",
    "ReportSection",
    "SliceView",
    "difference_panel",
    "save_contact_sheet",
    "save_lesion_sheet",
    "save_panel",
    "slice_view",
    "write_html_report",
    "write_pdf_report",
    "write_reports",
]
