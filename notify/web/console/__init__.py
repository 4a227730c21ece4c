"""The way in for staff: what is on its way, and what stayed behind and why. It shows no personal data."""
