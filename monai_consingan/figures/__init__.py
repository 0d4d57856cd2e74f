"""Figures of slices before and after, and reports that hold them."""

from __future__ import annotations

from monai_consingan.figures.contact_sheet import save_contact_sheet, save_lesion_sheet
from monai_consingan.figures.panel import Panel, difference_panel
from monai_consingan.figures.report import ReportSection, write_html_report
from monai_consingan.figures.report_pdf import write_pdf_report, write_reports
from monai_consingan.figures.sheet import PanelRow, save_panel, save_rows
from monai_consingan.figures.view import SliceView, plane_axes, slice_view

__all__ = [
    "Panel",
    "PanelRow",
    "ReportSection",
    "SliceView",
    "difference_panel",
    "plane_axes",
    "save_contact_sheet",
    "save_lesion_sheet",
    "save_panel",
    "save_rows",
    "slice_view",
    "write_html_report",
    "write_pdf_report",
    "write_reports",
]
