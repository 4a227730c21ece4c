"""HOW a message leaves: one folder for each channel, and the contract they all keep."""
