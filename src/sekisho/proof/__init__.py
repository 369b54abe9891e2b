"""All requests at once: exact regions, reachability over hops, findings, access difference. Pure."""
