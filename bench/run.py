"""`make bench`: run the benches beside this file, each in a process of its own, and say at the end which floors hold.

``bench/run.py`` runs all, ``bench/run.py decide trail`` those two, ``bench/run.py --list`` names them. A bench is a file ``bench/NAME.py``:

* its first line says what it measures beside whom (``--list`` prints it);
* run as a script it prints a table, writes ``bench/out/NAME.json`` (``measuring.Report`` does both), and exits 0 where its floors hold,
  1 where one doesn't or where peers give another answer, 3 where something from outside could not be had.

Peers are installed by the bench that needs them into ``bench/.cache`` (``measuring.peers``), never among the product's own packages.
"""

import ast
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def benches() -> dict[str, str]:
    """Name → what it measures, in the order in which they run."""
    found = {path.stem: path for path in sorted(HERE.glob("*.py")) if path.name != "run.py"}
    first = [name for name in ("decide", "prove", "reach", "reachability", "trail", "sandbox", "startup") if name in found]
    ordered = [*first, *(name for name in found if name not in first)]
    return {name: (ast.get_docstring(ast.parse(found[name].read_text())) or name).splitlines()[0] for name in ordered}


def main(arguments: list[str]) -> int:
    known = benches()
    if arguments == ["--list"]:
        width = max(map(len, known))
        print("\n".join(f"{name:<{width}}  {what}" for name, what in known.items()))
        return 0
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"no bench named {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    ended = {}
    for name in arguments or known:
        print(f"== {name}: {known[name]}", flush=True)
        ended[name] = subprocess.run([sys.executable, str(HERE / f"{name}.py")], cwd=HERE.parent, check=False).returncode
        print(flush=True)
    said = {0: "floors hold", 1: "A FLOOR DOES NOT HOLD", 3: "not run: something from outside is missing"}
    print("\n".join(f"{name}: {said.get(status, f'FAILED (exit status {status})')}" for name, status in ended.items()))
    # What couldn't be had from outside is no failure of ours; it was said.
    return 1 if any(status not in (0, 3) for status in ended.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
