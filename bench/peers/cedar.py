"""cedarpy, driven from outside in its own virtual environment: reads one JSON command a line, answers one JSON line.

First line: ``{"policies": "Cedar text", "entities": […], "request": {principal, action, resource}}``; then
``{"cases": [context, …], "way": "handles"|"batch"|"text", "answers": true|false}``. Contexts are Cedar's, requests made beforehand;
seconds are the processor's, of the one thread that works.
"""

import json
import sys
import time

import cedarpy


def main() -> None:
    first = json.loads(sys.stdin.readline())
    asked, text, entities_text = first["request"], first["policies"], json.dumps(first["entities"])
    policies, entities = cedarpy.PolicySet.from_str(text), cedarpy.Entities.from_json_str(entities_text)
    ways = {
        # Policies and entities parsed once: the least that it can be asked for, one request at a time.
        "handles": lambda cases: [cedarpy.is_authorized(case, policies, entities) for case in cases],
        "batch": lambda cases: cedarpy.is_authorized_batch(cases, policies, entities),
        "text": lambda cases: [cedarpy.is_authorized(case, text, entities_text) for case in cases],
    }
    print(json.dumps({"ways": list(ways)}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        cases = [{**asked, "context": case} for case in command["cases"]]
        started = time.thread_time()
        results = ways[command["way"]](cases)
        seconds = time.thread_time() - started
        answers = [r.decision.value for r in results] if command["answers"] else None
        print(json.dumps({"answers": answers, "errors": [e for r in results[:10] for e in r.diagnostics.errors], "seconds": seconds}), flush=True)


main()
