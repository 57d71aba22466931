"""Your own surveys, searches and other plug-ins; see CONTRIBUTING.md."""
