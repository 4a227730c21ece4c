"""The ways in over HTTP: hooks/ for providers, public/ for residents, console/ for staff; `app` joins."""
