#!/usr/bin/env python3
"""tidy.py: checks what can be checked by rote about the sources.

usage: .ci/tidy.py [--self-test]            environment: CC, CXX

Lines of at most 120 columns without tabs or trailing blanks, functions of at most 70 lines, files of at most 500; no
banned word; every header compiles alone (the public one as C++ too, and as old C); every .S has the GNU-stack note;
every folder of the runtime stands in runtime/README.md.
"""
import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS, FUNCTION, FILE = 120, 70, 500
FOLDERS = ["runtime", "baselines", "benches", "examples", "tests", "plots", "scripts", ".ci"]
C_LIKE = (".c", ".h", ".cc", ".S", ".inc")
TEXT = C_LIKE + (".py", ".sh", ".gp", "")
# Halves, so that this file does not contain the words. The second item says what to write instead.
BANNED = [
    (r"\bFIX" r"ME\b|\bTO" r"DO\b|\bXX" r"X\b", "finish it, or say in words what is missing", TEXT, FOLDERS),
    (r"\bstrcpy\s*\(|\bstrcat\s*\(", "memcpy with a length that was checked", C_LIKE, FOLDERS),
    (r"\bv?sprintf\s*\(", "snprintf", C_LIKE, FOLDERS),
    (r"\balloca\s*\(", "a fixed array: the stack has a budget", C_LIKE, ["runtime"]),
]
FUNCTION_START = re.compile(r"^[A-Za-z_][^;={]*\)\s*(__attribute__.*)?\{?\s*$|^\{\s*$")


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path


def check_lines(path, lines, found):
    if len(lines) > FILE:
        found(path, len(lines), f"{len(lines)} lines; a file has at most {FILE}")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            found(path, number, f"{len(line)} columns; at most {COLUMNS}")
        if line != line.rstrip():
            found(path, number, "blanks at the end of the line")
        if "\t" in line:
            found(path, number, "a tab; indent by four blanks")


def check_functions(path, lines, found):
    """From a line that opens a function in the first column to the closing brace in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and FUNCTION_START.match(line):
            start = number
        elif start is not None and line.startswith("}"):
            if number - start + 1 > FUNCTION:
                found(path, start, f"a function of {number - start + 1} lines; at most {FUNCTION}")
            start = None
        elif start is not None and line.endswith(";") and not line.startswith((" ", "{")):
            start = None  # it was a prototype over several lines


def check_python(path, lines, found):
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > FUNCTION:
            found(path, node.lineno, f"a function of {node.end_lineno - node.lineno + 1} lines; at most {FUNCTION}")


def check_words(root, path, lines, found):
    top = path.relative_to(root).parts[0]
    for regex, instead, suffixes, folders in BANNED:
        if path.suffix not in suffixes or top not in folders:
            continue
        for number, line in enumerate(lines, 1):
            match = re.search(regex, line)
            if match:
                found(path, number, f"'{match[0].rstrip('( ')}' is banned: {instead}")


def check_stack_note(path, lines, found):
    if not any(".note.GNU-stack" in line or line.strip() == "NO_EXECUTABLE_STACK" for line in lines):
        found(path, len(lines), "no .note.GNU-stack: the program's stack would be executable")


def compile_alone(root, path, compiler, language, standard):
    includes = [f"-I{root}/{folder}" for folder in ("runtime", "runtime/include", ".")]
    # A header's static functions are for others to use, and a header that wraps the system's is found by path here.
    quiet = ["-Wno-unused-function", "-Wno-include-next-absolute-path", "-Wno-unknown-attributes"]
    command = compiler.split() + ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", *quiet, f"-std={standard}",
                                  *includes, "-x", language, "-"]
    result = subprocess.run(command, input=f'#include "{path}"\n', capture_output=True, text=True, cwd=root)
    if result.returncode == 0:
        return None
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    return errors[0] if errors else result.stderr.strip()


def check_header(root, path, found):
    cc, cxx = os.environ.get("CC") or "gcc", os.environ.get("CXX") or "g++"
    ways = [(cc, "c", "gnu17")]
    if path.parent.name == "include" or path.parent.parent.name == "include":
        ways += [(cc, "c", "c11"), (cxx, "c++", "c++11")]
    for compiler, language, standard in ways:
        why = compile_alone(root, path, compiler, language, standard)
        if why:
            found(path, 1, f"does not compile alone as {standard}: {why}")


def check_map(root, found):
    """Each folder of the runtime that holds anything is named on a line of the map."""
    readme = root / "runtime/README.md"
    text = readme.read_text() if readme.exists() else ""
    for folder in sorted(p for p in (root / "runtime").iterdir() if p.is_dir() and any(p.iterdir())):
        if not re.search(rf"\b{folder.name}/", text):
            found(readme, 1, f"{folder.name}/ is missing from the map")


def violations(root):
    messages = []

    def found(path, number, what):
        messages.append(f"{path.relative_to(root)}:{number}: {what}")

    for path in sources(root):
        lines = path.read_text(errors="replace").split("\n")[:-1]
        check_lines(path, lines, found)
        check_words(root, path, lines, found)
        if path.suffix in (".c", ".h", ".cc"):
            check_functions(path, lines, found)
        if path.suffix == ".py":
            check_python(path, lines, found)
        if path.suffix == ".S":
            check_stack_note(path, lines, found)
        if path.suffix == ".h":
            check_header(root, path, found)
    check_map(root, found)
    return messages


# ---- self-test: a clean tree passes, each planted fault is found

CLEAN = {
    "runtime/README.md": "| `base/` | lists |\n| `include/` | public |\n",
    "runtime/base/list.h": "int list(void);\n",
    "runtime/base/list.c": "int list(void)\n{\n" + "    ;\n" * 60 + "}\n",
    "runtime/base/x.S": 'nop\n.section .note.GNU-stack, "", @progbits\n',
    "runtime/include/gossamer.h": "int gos(void);\n",
    "scripts/setup": "#!/bin/sh\n",
}
PLANTED = [
    ("runtime/base/bad.c", "int x; /* " + "-" * COLUMNS + " */\n"),
    ("runtime/base/bad.c", "int x; \n"),
    ("benches/bad.c", "\tint x;\n"),
    ("benches/bad.c", "int f(int a,\n      int b)\n{\n" + "    ;\n" * FUNCTION + "}\n"),
    ("benches/bad.cc", "int f(int a) {\n" + "    ;\n" * FUNCTION + "}\n"),
    ("tests/unit/bad.c", "int x;\n" * (FILE + 1)),
    ("scripts/bad.py", "def f():\n" + "    pass\n" * FUNCTION),
    ("scripts/bad.py", "# FIX" "ME\n"),
    ("runtime/base/bad.c", "/* TO" "DO: more */\n"),
    ("examples/bad.c", "int x; /* XX" "X */\n"),
    ("tests/unit/bad.c", "void f(char *a) { str" "cpy(a, a); }\n"),
    ("baselines/bad.c", "void f(char *a) { s" "printf(a, a); }\n"),
    ("runtime/base/bad.c", "void *f(void) { return al" "loca(8); }\n"),
    ("runtime/base/bad.S", "nop\n"),
    ("runtime/base/bad.h", "size_t f(void);\n"),
    ("runtime/include/bad.h", "#ifdef __cplusplus\n#error C only\n#endif\n"),
    ("runtime/README.md", "| `include/` | public |\n"),
]


def self_test():
    missed = []
    for path, text in [("", "")] + PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, content in {**CLEAN, **({path: text} if path else {})}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content)
            found = violations(root)
            if [f.split(":")[0] for f in found] != ([path] if path else []):
                missed.append(f"self-test: planted {text[:40]!r} in '{path}', found {found}")
    return missed


def main():
    if sys.argv[1:] not in ([], ["--self-test"]):
        print(f"tidy.py: unknown argument '{' '.join(sys.argv[1:])}': use none or --self-test", file=sys.stderr)
        return 2
    found = self_test() if sys.argv[1:] else violations(Path(__file__).resolve().parent.parent)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
