"""JSON routes under /api/v1, thin: they read what is asked, call the rooms below, and put the answer into words.

A resource is a module with a `router`, named in `ROUTERS`, and a line for each of its routes in `permissions.ROUTES`.
"""
