"""CloudTrail: what really happened, read into a store, joined into sessions, and decided again against another estate (rule book G)."""
