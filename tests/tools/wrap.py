#!/usr/bin/python3
"""Breaks the lines of C that are longer than 100 columns, and nothing else: wrap.py [FILE…], or all
files. Uses clang-format with the layout in .clang-format; look at the result, then commit it."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COLUMNS = 100


def width(line):
    return len(line.expandtabs(8))


def long_lines(path):
    with open(path) as f:
        return [i for i, line in enumerate(f.read().split("\n"), 1) if width(line) > COLUMNS]


def mend_comment_ends(path):
    """clang-format leaves a lonely end of comment on a line; it gets the last words for company."""
    with open(path) as f:
        lines = f.read().split("\n")
    for i in range(1, len(lines)):
        end = re.fullmatch(r"(\s*)\*/", lines[i])
        before = lines[i - 1]
        if not end or "/*" not in before and not re.match(r"\s*\* ", before):
            continue
        words = before.rstrip().rsplit(" ", 2)
        if width(before + " */") <= COLUMNS:
            lines[i - 1], lines[i] = before.rstrip() + " */", None
        elif len(words) == 3 and words[0].strip(" \t/*"):
            lines[i - 1] = words[0].rstrip()
            lines[i] = "%s* %s %s */" % (end.group(1), words[1], words[2])
    with open(path, "w") as f:
        f.write("\n".join(line for line in lines if line is not None))


def wrap(path):
    for _ in range(3):      # a broken line may leave one that is too long again
        lines = long_lines(path)
        if not lines:
            return
        subprocess.run(["clang-format", "-i", "-style=file",
                        *("-lines=%d:%d" % (i, i) for i in lines), path], cwd=ROOT, check=True)
        mend_comment_ends(path)
    for line in long_lines(path):
        print("%s:%d: still too long" % (os.path.relpath(path, ROOT), line))


def main():
    paths = [os.path.abspath(p) for p in sys.argv[1:]]
    if not paths:
        out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"],
                             cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        paths = [os.path.join(ROOT, p) for p in out.split("\n") if p]
    for path in paths:
        if os.path.isfile(path):
            wrap(path)


if __name__ == "__main__":
    main()
