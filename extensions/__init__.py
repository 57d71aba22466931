"""Surveys and searches of your own; see CONTRIBUTING.md."""
