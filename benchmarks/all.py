"""All benchmarks with one command: `python benchmarks/all.py [--quick] [--into FOLDER]`.

Each is a script of its own that can be run alone. Here they run one after the other, never side by side; their figures
are put together in `results.json`, the growth from a thousand rows to a million is drawn in `growth.png` (where
matplotlib is installed: `pip install '.[bench]'`), and the ratios to the peers of the same run are printed at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measuring import machine

HERE = Path(__file__).parent
WHOLE: dict[str, list[str]] = {
    "starting": [],
    "sending": ["--rows", "5000", "--rounds", "3"],
    "preparing": ["--rows", "1000", "10000", "100000", "1000000", "--rounds", "2"],
    "workbook": ["--rows", "1000", "10000", "200000"],
    "following": ["--seconds", "30"],
    "pace": ["--seconds", "60"],
    "running": ["--rows", "1000", "10000", "100000", "1000000"],
}
QUICK: dict[str, list[str]] = {
    "starting": [],
    "sending": ["--rows", "1000", "--rounds", "1"],
    "preparing": ["--rows", "1000", "10000", "100000", "--rounds", "1"],
    "workbook": ["--rows", "1000", "10000"],
    "following": ["--runs", "10", "10000", "--seconds", "5"],
    "pace": ["--seconds", "5"],
    "running": ["--rows", "1000", "10000"],
}


def main() -> None:
    """Run them all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rows, one round: to see that all of it runs")
    parser.add_argument("--into", type=Path, default=Path("out/benchmarks"))
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": machine()}
    for name, words in (QUICK if given.quick else WHOLE).items():
        print(f"\n== {name} {' '.join(words)}", flush=True)
        place = (given.into / f"{name}.json").resolve()
        subprocess.run([sys.executable, f"{name}.py", *words, "--json", str(place)], cwd=HERE, check=True)
        results[name] = json.loads(place.read_text(encoding="utf-8"))
    (given.into / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    tell(results)
    draw(results, given.into / "growth.png")


def tell(results: dict[str, Any]) -> None:
    """Print the ratios to the peers, each of one run."""
    print("\n== ratios to the peers of the same run")
    newman = results["sending"]["figures"].get("1", {}).get("newman")
    for connections, found in results["sending"]["figures"].items():
        if "batchrun" not in found:
            continue
        ours, by_hand = found["batchrun"], found["hand-written"]
        told = f"{ours['sending'] / by_hand['sending']:.1f} times the hand-written script"
        if newman is not None:
            told += f", {ours['sending'] / newman['sending']:.0f} times newman"
        print(f"sending, {connections:>2} connections   {told}; from sheet to workbook {_whole(ours, by_hand)}")
    for what, peer in (("preparing", "bare loop"), ("workbook", "openpyxl, write-only, bare cells")):
        found = results[what] if isinstance(results[what], list) else results[what]["found"]
        largest = max(one["rows"] for one in found)
        (ours,) = [one for one in found if one["rows"] == largest and one["what"] != peer]
        (other,) = [one for one in found if one["rows"] == largest and one["what"] == peer]
        ratio = other["seconds"] / ours["seconds"]
        print(f"{what:<24} {ratio:.2f} times as fast as: {peer}; {largest:,} rows")


def _whole(ours: dict[str, float], by_hand: dict[str, float]) -> str:
    return f"{ours['whole'] / by_hand['whole']:.1f} times"


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw how time and memory grow with the rows."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("matplotlib is not installed, so no growth.png was drawn: pip install '.[bench]'")
        return
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (speed, memory) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, found in _curves(results).items():
        rows = [one["rows"] for one in found]
        speed.plot(rows, [one["rows"] / one["seconds"] for one in found], marker="o", label=name)
        memory.plot(rows, [one["peak_mb"] for one in found], marker="o", label=name)
    for axes, label in ((speed, "rows a second, start-up and all"), (memory, "peak memory, MB")):
        axes.set(xscale="log", xlabel="rows", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    speed.set(yscale="log")
    memory.set(ylim=(0, None))
    figure.suptitle("From a thousand rows to a million")
    figure.savefig(path, dpi=110)
    print(f"\n{path}")


def _curves(results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    checked = [one for one in results["preparing"] if one["what"] == "batchrun check"]
    written = [one for one in results["workbook"]["found"] if one["what"] == "batchrun report"]
    return {"check": checked, "run, whole": results["running"]["found"], "report (workbook)": written}


if __name__ == "__main__":
    main()
