"""The embedded AWS: authenticate, authorise with ``decide``, carry out, record. Loopback only."""
