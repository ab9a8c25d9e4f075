"""Lines have at most 120 columns: comments, also those of C and of scripts, which no formatter measures, and prose."""

import re

from house import Finding

COLUMNS = 120
FENCE = re.compile(r" {0,3}(```|~~~)")
COMMENT = {"c": re.compile(r"\s*(//|/?\*)"), "script": re.compile(r"\s*#")}
LINK = re.compile(r"\]\([^()]*\)|<?https?://\S+")


def prose_lines(text):
    """The numbered lines of a Markdown file that are not in a fenced or an indented block of code."""
    fence = None
    for number, line in enumerate(text.split("\n"), 1):
        mark = FENCE.match(line)
        if mark and fence in (None, mark[1]):
            fence = None if fence else mark[1]
        elif fence is None and not line.startswith("    "):
            yield number, line


def findings(house):
    for source in house.swift_files("*.swift"):
        for number, line in enumerate(source.text.split("\n"), 1):
            if len(line) > COLUMNS and number in source.comment_lines:
                yield Finding(source.path, number, f"a comment of {len(line)} columns; break it at {COLUMNS}")
    for path, kind in others(house):
        for number, line in enumerate(house.text(path).split("\n"), 1):
            if len(line) > COLUMNS and COMMENT[kind].match(line):
                yield Finding(path, number, f"a comment of {len(line)} columns; break it at {COLUMNS}")
    for path in house.files("*.md"):
        for number, line in prose_lines(house.text(path)):
            # A table's row is one line, and a link's target cannot be broken.
            if line.lstrip().startswith("|") or len(LINK.sub("", line)) <= COLUMNS:
                continue
            yield Finding(path, number, f"a line of {len(line)} columns; break it at {COLUMNS}")


def others(house):
    """The sources in C and the scripts, each with its kind."""
    for path in house.all_files:
        if path.endswith((".c", ".h")):
            yield path, "c"
        elif path.endswith((".py", ".sh")) or "." not in path.split("/")[-1] and house.text(path).startswith("#!"):
            yield path, "script"
