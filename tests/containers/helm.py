"""`helm upgrade --install NAME CHART --set ... --set-file ...`, by Helm's own library: prints what it would send to a cluster.

Debian has no package of the command, and a cluster there is none either. Whatever else the docs would have somebody type is an error.
"""

import argparse
from typing import Any

import helm_python as helm


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return both, the second before the first, in depth."""
    both = {
        name: merged(first[name], value) if isinstance(first.get(name), dict) else value
        for name, value in second.items()
    }
    return first | both


def main() -> None:
    """Print the manifests of a release, hooks included, as one stream of YAML."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["upgrade"])
    parser.add_argument("--install", action="store_true", required=True)
    parser.add_argument("name")
    parser.add_argument("chart")
    parser.add_argument("--set", dest="values", action="append", type=helm.parse_set_string, default=[])
    parser.add_argument("--set-file", dest="values", action="append", type=helm.parse_set_file)
    said = parser.parse_args()
    values: dict[str, Any] = {}
    for each in said.values:
        values = merged(values, each)
    with helm.Chart.load(said.chart) as chart:
        files = chart.render(values, name=said.name, namespace="default", is_install=True)
    for name, text in files.items():
        if not name.endswith("NOTES.txt"):
            print(f"---\n{text}")


if __name__ == "__main__":
    main()
