#!/usr/bin/env python3
"""Draws every figure of a results folder: DIR/figures/NAME.tsv, .svg, .pdf and .png."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import prep  # noqa: E402
import rows  # noqa: E402


def need(tool, package):
    if not shutil.which(tool):
        raise rows.ResultsError(f"{tool} is not installed; run `make setup`, or install {package}")


# What fontconfig says where the home folder cannot be written: it does without a cache, and the picture is drawn.
HARMLESS = "Fontconfig error: No writable cache directories"


def run_tool(command, folder):
    """Runs a tool in the folder; gnuplot exits 0 on some errors, so a word on standard error fails too."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env=dict(os.environ, SOURCE_DATE_EPOCH="0"))    # a PDF's date: the same data, the same bytes
    stderr = [line for line in done.stderr.strip().splitlines() if line.strip() != HARMLESS]
    said = stderr or done.stdout.strip().splitlines()
    if done.returncode != 0 or said:
        raise rows.ResultsError(f"{command[0]}: {' '.join(said) or f'exit code {done.returncode}'}")


def portable(svg):
    """Names fallbacks for machines without the font, bold as a weight, and drops the line that names the program."""
    for face, weight in (("DejaVu Sans Bold", ' font-weight="bold"'), ("DejaVu Sans", "")):
        svg = svg.replace(f'font-family="{face}"', f'font-family="DejaVu Sans, Verdana, sans-serif"{weight}')
    return re.sub(r"<desc>.*?</desc>\n*", "", svg, flags=re.DOTALL)


def draw(name, figure, folder):
    """Writes the table, the layouts and the pictures of one figure into the folder."""
    with open(os.path.join(folder, name + ".tsv"), "w", encoding="utf-8") as file:
        file.write(figure.table)
    layout = os.path.join(folder, name + ".layout")
    for suffix, text in [("", figure.layout)] + [("." + part, text) for part, text in figure.parts.items()]:
        with open(layout + suffix, "w", encoding="utf-8") as file:
            file.write(text)
    settings = f"width={figure.width}; height={figure.height}; out='{name}.svg'; data='{name}.tsv'; " \
               f"layout='{name}.layout'"
    drawing = os.path.join(HERE, (figure.drawing or name) + ".gp")
    run_tool(["gnuplot", "-e", settings, os.path.join(HERE, "style.gp"), drawing], folder)
    path = os.path.join(folder, name + ".svg")
    with open(path, encoding="utf-8") as file:
        svg = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(portable(svg))
    run_tool(["rsvg-convert", "--zoom", "1.5", "--output", name + ".png", name + ".svg"], folder)
    run_tool(["rsvg-convert", "--format", "pdf", "--output", name + ".pdf", name + ".svg"], folder)


def plot(results):
    """All figures into a scratch folder first, then into place: a failure leaves the old ones whole."""
    need("gnuplot", "gnuplot-nox")
    need("rsvg-convert", "librsvg2-bin")
    run = rows.Results(results)
    target = os.path.join(results, "figures")
    with tempfile.TemporaryDirectory(prefix="gossamer-plots-") as scratch:
        drawn = []
        for name, make in prep.FIGURES.items():
            figure = make(run)
            if figure:
                draw(name, figure, scratch)
                drawn.append(name)
            else:
                print(f"  plot  {name}: no samples in this run, no figure")
        os.makedirs(target, exist_ok=True)
        for name in prep.FIGURES:
            for kind in (".tsv", ".svg", ".png", ".pdf"):
                path = os.path.join(target, name + kind)
                if name in drawn:
                    shutil.copyfile(os.path.join(scratch, name + kind), path + ".new")
                    os.replace(path + ".new", path)
                elif os.path.exists(path):
                    os.remove(path)
    for name in drawn:
        print(f"  plot  {os.path.join(os.path.relpath(target), name)}.svg")


def main():
    parser = rows.Arguments(description=__doc__)
    parser.add_argument("--results", metavar="DIR", required=True, help="results folder, e.g. results/reference")
    args = parser.parse_args()
    try:
        with rows.guard(args.results):
            plot(args.results)
    except (rows.ResultsError, OSError) as error:
        print(f"plots.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
