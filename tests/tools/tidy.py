#!/usr/bin/python3
"""Checks the habits of docs/style.md on every file of the tree: `make tidy`. Prints FILE:LINE: what
is wrong, then how many rules hold; ends with status 1 when one does not."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SELF = "tests/tools/tidy.py"
UNTESTED = "tests/tools/untested.txt"
COLUMNS, FUNCTION_LINES, FILE_LINES, README_LINES, FOLDER_FILES = 100, 70, 900, 40, 3

# A folder of lib/ may include those that stand before it (and itself); the programs all of lib/.
LAYERS = [["base"], ["crypto"], ["json", "xml", "conf"], ["task"], ["log", "metrics"],
          ["net", "disk"], ["kv", "http"], ["ring"], ["swift"], ["daemon"]]
PROGRAMS = ["proxy", "objectd", "ringtool", "compute"]
# Folders that include nothing of their own program but themselves.
CLOSED = ["objectd/store", "ringtool/builder"]
# Who may include a foreign library, and call what begins so.
OWNERS = [
    (r"<uv\.h>", r"\buv_\w+\s*\(", ["lib/task", "lib/net", "lib/disk", "lib/daemon", "tests"]),
    (r"<leveldb/", r"\bleveldb_\w+\s*\(", ["lib/kv", "tests/bench"]),
    (r"<openssl/", r"\b(SSL|EVP|HMAC|ERR|X509|RAND)_\w+\s*\(",
     ["lib/crypto", "lib/net", "tests/unit/lib/net"]),
    (r"<libvirt/", r"\bvir[A-Z]\w+\s*\(", ["compute/libvirt"]),
    (r"<llhttp\.h>", r"\bllhttp_\w+\s*\(", ["lib/http", "tests/fuzz", "tests/unit/lib/http"]),
    (r"<ini\.h>", r"\bini_parse\w*\s*\(", ["lib/conf"]),
    (r"<libxml/", r"\bxml[A-Z]\w+\s*\(", ["lib/xml", "compute/libvirt"]),
    (None, r"\bgetaddrinfo\s*\(", ["lib/net", "tests/bench"]),
    (None, r"\bf(data)?sync\s*\(", ["lib/disk", "lib/ring", "objectd/store", "ringtool", "tests"]),
]
BANNED = ("strcpy strcat strncpy strncat sprintf vsprintf strtok gmtime localtime ctime atoi atol "
          "strtol strtoul alloca system rand signal").split()
# Words that belong to how a text came about, not to what it says.
FORBIDDEN = ["../shared", "/work/", ".library", "AI agent", r"\bLLM\b", r"\bassistant\b",
             r"\bTODO\b", r"\bFIXME\b", r"\bXXX\b"]

problems = []


class Source:
    """A file: path, text, lines; code is C with comments and literals blanked, lines kept."""

    def __init__(self, path):
        self.path = path
        self.folder, self.name = os.path.split(path)
        self.stem, self.ext = os.path.splitext(self.name)
        with open(os.path.join(ROOT, path), "rb") as f:
            data = f.read()
        self.is_text = b"\0" not in data
        self.text = data.decode("utf-8", errors="replace") if self.is_text else ""
        self.lines = self.text.split("\n")
        self.is_c = self.ext in (".c", ".h", ".S")
        self.code = blank(self.text) if self.is_c else ""

    def at(self, index, text):
        return self.text.count("\n", 0, index) + 1, text


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text):
    """The code without comments and contents of literals; line comments become LINE_COMMENT."""
    def replace(m):
        s = m.group()
        if s.startswith("//"):
            return "LINE_COMMENT"
        if s.startswith("/*"):
            return "\n" * s.count("\n") or " "
        return s[0] + s[0]
    # Names between quotes of an #include are wanted, and are checked on the text itself.
    return TOKEN.sub(replace, text)


def problem(source, line, text):
    problems.append("%s:%d: %s" % (source.path, line, text))


# One function per rule; its docstring is the rule.

def columns(sources):
    """no line of code is longer than 100 columns"""
    for s in sources:
        if s.is_c or s.ext in (".py", ".sh"):
            for i, line in enumerate(s.lines, 1):
                if len(line.expandtabs(8)) > COLUMNS:
                    problem(s, i, "%d columns" % len(line.expandtabs(8)))


def blanks(sources):
    """no blanks at the ends of lines, one line end at the end of the file"""
    for s in sources:
        if not s.is_text or not s.text or s.path.startswith("tests/fuzz/corpus/"):
            continue
        for i, line in enumerate(s.lines, 1):
            if line != line.rstrip():
                problem(s, i, "blank at the end of the line")
        if not s.text.endswith("\n") or s.text.endswith("\n\n"):
            problem(s, len(s.lines), "the file does not end with one line end")


def indentation(sources):
    """C is indented with tabs"""
    for s in sources:
        if s.ext in (".c", ".h"):
            for i, line in enumerate(s.lines, 1):
                if line.startswith("        "):
                    problem(s, i, "indented with spaces")


def functions(sources):
    """no function is longer than 70 lines, no file of C longer than 900"""
    for s in sources:
        if s.ext not in (".c", ".h"):
            continue
        start = None
        for i, line in enumerate(s.code.split("\n"), 1):
            if line.rstrip() == "{":
                start = i
            elif line.startswith("}") and start:
                if i - start - 1 > FUNCTION_LINES:
                    problem(s, start, "the function has %d lines" % (i - start - 1))
                start = None
        if len(s.lines) - 1 > FILE_LINES:
            problem(s, FILE_LINES, "the file has %d lines" % (len(s.lines) - 1))


def layer_of(folder):
    name = folder.split("/")[1] if "/" in folder else ""
    for i, names in enumerate(LAYERS):
        if name in names:
            return i
    return None


def arrow_error(folder, target):
    """Why a file in the folder may not include one of the folder target, or None."""
    room, room2 = folder.split("/")[0], target.split("/")[0]
    if room == "tests":
        return None
    if room == "lib":
        if room2 != "lib":
            return "lib includes nothing outside itself"
        own, other = "/".join(folder.split("/")[:2]), "/".join(target.split("/")[:2])
        if own == other:
            return None
        if layer_of(own) is None or layer_of(other) is None:
            return "%s has no place in the layers of %s" % (
                own if layer_of(own) is None else other, SELF)
        if layer_of(other) >= layer_of(own):
            return "%s stands below %s" % (own, other)
        return None
    if room in PROGRAMS and room2 in PROGRAMS and room != room2:
        return "programs never include each other"
    if room2 == "tests":
        return "programs do not include tests"
    for closed in CLOSED:
        if folder.startswith(closed) and room2 == room and not target.startswith(closed):
            return "%s includes nothing else of %s" % (closed, room)
    return None


def includes(sources):
    """includes follow the arrows of docs/architecture.md and name the full path"""
    for s in sources:
        if not s.is_c:
            continue
        for m in re.finditer(r'^\s*#\s*include\s+"([^"]+)"', s.text, re.M):
            line, target = s.at(m.start(), m.group(1))
            if not os.path.exists(os.path.join(ROOT, target)):
                problem(s, line, "include by the full path from the root: %s" % target)
                continue
            error = arrow_error(s.folder, os.path.dirname(target))
            if error:
                problem(s, line, "%s: %s" % (target, error))


def libraries(sources):
    """only the folder that wraps a foreign library includes or calls it"""
    for s in sources:
        if not s.is_c:
            continue
        for header, call, owners in OWNERS:
            if any((s.folder + "/").startswith(o + "/") for o in owners):
                continue
            if header:
                for m in re.finditer(r"^\s*#\s*include\s+" + header, s.text, re.M):
                    problem(s, *s.at(m.start(), "only %s may include this" % ", ".join(owners)))
            for m in re.finditer(call, s.code):
                problem(s, s.code.count("\n", 0, m.start()) + 1,
                        "only %s may call %s" % (", ".join(owners), m.group().rstrip(" (")))


def banned(sources):
    """banned functions are not called, comments are not //"""
    call = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
    for s in sources:
        if not s.is_c or s.name == "banned.h":
            continue
        for m in call.finditer(s.code):
            if m.group(1) != "signal" or not s.path.startswith("tests/"):
                problem(s, s.code.count("\n", 0, m.start()) + 1, "%s is banned" % m.group(1))
        for m in re.finditer("LINE_COMMENT", s.code):
            problem(s, s.code.count("\n", 0, m.start()) + 1, "comments are /* */")


def sentences(sources):
    """each file begins by saying in a sentence what it does"""
    for s in sources:
        if s.ext in (".c", ".h", ".S"):
            m = re.match(r"/\*(.*?)\*/", s.text, re.S)
            ok = m and re.search(r"[.:;](\s|$)", m.group(1).strip())
        elif s.ext == ".py":
            ok = re.match(r'(#!.*\n)?"""', s.text)
        elif s.ext == ".sh" or (s.text.startswith("#!") and "sh" in s.lines[0]):
            ok = re.match(r"(#!.*\n)?# \w", s.text)
        else:
            continue
        if not ok and s.text.strip():
            problem(s, 1, "does not begin with a sentence that says what the file does")


def readmes(sources):
    """a folder with more than three files has a README of at most 40 lines"""
    folders = {}
    for s in sources:
        if not s.path.startswith(("tests/unit/", "tests/fuzz/corpus/", "tests/bench/peers/")):
            folders.setdefault(s.folder, {})[s.name] = s
    for folder, files in folders.items():
        readme = files.get("README.md")
        count = len([n for n in files if n != "README.md"])
        if folder and count > FOLDER_FILES and not readme:
            problems.append("%s: %d files and no README.md" % (folder, count))
        if folder and readme and len(readme.lines) - 1 > README_LINES:
            problem(readme, README_LINES, "%d lines" % (len(readme.lines) - 1))


def read_untested():
    """path -> reason; lines are "path: reason"."""
    with open(os.path.join(ROOT, UNTESTED)) as f:
        lines = [x.strip() for x in f if x.strip() and not x.startswith("#")]
    return {path: reason.strip() for path, _, reason in (x.partition(":") for x in lines)}


def unit_tests(sources):
    """each module of lib/ and each middleware has a unit test of the same path"""
    paths = {s.path for s in sources}
    untested = read_untested()
    for s in sources:
        room = s.path.startswith("lib/") or s.path.startswith("proxy/middleware/")
        if s.ext != ".c" or not room:
            continue
        # x_y.c may be tested by x_test.c: it is a part of the module x.
        words = s.stem.split("_")
        names = ["_".join(words[:n]) for n in range(len(words), 0, -1)]
        has = any("tests/unit/%s/%s_test.c" % (s.folder, n) in paths for n in names)
        if not has and s.path not in untested:
            problem(s, 1, "has no tests/unit/%s/%s_test.c" % (s.folder, s.stem))
        if has and s.path in untested:
            problems.append("%s: %s has a test now" % (UNTESTED, s.path))
    for path, reason in untested.items():
        if path not in paths or not reason:
            problems.append("%s: %s: %s" % (UNTESTED, path,
                                            "no reason given" if path in paths else "no such file"))


def is_found_by_pattern(s):
    """Whether the build or the test runner finds the file without naming it."""
    return (s.ext in (".c", ".S") or s.name in ("README.md", "__init__.py", "conftest.py")
            or s.path.startswith(("tests/fuzz/corpus/", "proxy/console/"))
            or re.fullmatch(r"test_\w+\.py", s.name) or s.name.startswith(".")
            or s.path in ("Makefile", "LICENSE", "tests/pytest.ini"))


def references(sources):
    """no file is unreferenced"""
    texts = [(s.path, s.text) for s in sources if s.is_text and "/corpus/" not in s.path]
    for s in sources:
        if is_found_by_pattern(s):
            continue
        # A module of Python is named without its ending.
        names = [s.name] if s.ext != ".py" else [s.name, s.folder.replace("/", ".") + "." + s.stem,
                                                 "import " + s.stem]
        if not any(n in text for path, text in texts if path != s.path for n in names):
            problems.append("%s: nothing refers to it" % s.path)


def anchors(text):
    """The anchors that the headings of a page make."""
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", text, re.M):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(slug)
    return found


def links(sources):
    """links and file names in Markdown lead somewhere"""
    pages = {s.path: s for s in sources if s.ext == ".md"}
    mention = re.compile(r"`((?:lib|proxy|objectd|ringtool|compute|docs|tests|bin)/[\w./-]+)`")
    for s in pages.values():
        text = re.sub(r"^(```|    ).*?(^```|$)", lambda m: "\n" * m.group().count("\n"), s.text,
                      flags=re.M | re.S) if "```" in s.text else s.text
        for m in re.finditer(r"\]\(([^)\s]+)\)", text):
            target, _, anchor = m.group(1).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            path = os.path.normpath(os.path.join(s.folder, target)) if target else s.path
            line = text.count("\n", 0, m.start()) + 1
            if not os.path.exists(os.path.join(ROOT, path)):
                problem(s, line, "link to %s" % m.group(1))
            elif anchor and path in pages and anchor not in anchors(pages[path].text):
                problem(s, line, "no heading #%s in %s" % (anchor, path))
        for m in mention.finditer(text):
            if not os.path.exists(os.path.join(ROOT, m.group(1))):
                problem(s, text.count("\n", 0, m.start()) + 1, "no such file: %s" % m.group(1))


def words(sources):
    """no words that speak of how the text came about"""
    forbidden = re.compile("|".join(w if "\\" in w else re.escape(w) for w in FORBIDDEN))
    for s in sources:
        if s.path == SELF or s.path.startswith("tests/fuzz/corpus/"):
            continue
        for m in forbidden.finditer(s.text):
            problem(s, *s.at(m.start(), "\"%s\" has no place here" % m.group()))


RULES = [columns, blanks, indentation, functions, includes, libraries, banned, sentences, readmes,
         unit_tests, references, links, words]


def main():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                         stdout=subprocess.PIPE, text=True).stdout.split("\n")
    sources = [Source(p) for p in out if p and os.path.isfile(os.path.join(ROOT, p))]
    chosen = [r for r in RULES if not sys.argv[1:] or r.__name__ in sys.argv[1:]]
    broken = 0
    for rule in chosen:
        before = len(problems)
        rule(sources)
        if len(problems) > before:
            broken += 1
            print("\n".join(sorted(problems[before:])))
            print("tidy: rule broken (%s): %s\n" % (rule.__name__, rule.__doc__))
    print("tidy: %d files, %d problems; rules: %d passed, %d failed"
          % (len(sources), len(problems), len(chosen) - broken, broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
