"""The way in for residents: statements to read, and the way out. No cookies, no log-in, no script."""
