"""WHO is reached: contacts, their addresses, their consent, and the lists that liaisons keep."""
