"""Files to records: what a spreadsheet may hold, and what is said where it does not. `matcher.readers` is its face."""
