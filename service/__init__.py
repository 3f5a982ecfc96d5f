"""The service: shortlists over an API, decisions by named people, plans rerun in the background, a real database.

Built on `matcher` unchanged: the service imports the matcher, never the other way round. See docs/service.md.
"""
