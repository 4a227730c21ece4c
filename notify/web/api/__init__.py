"""The HTTP interface for programs under /api/v1: a route validates, calls, shapes; the rules live elsewhere."""
