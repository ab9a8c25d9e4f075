"""Each `unsafe` has a line `// SAFETY:` in reach that says why it holds.

In reach is one of these, in the same file:

- above it in the same function, at most 20 lines away, in its own block or in one around it;
- on the line itself;
- in the comment directly above the declaration that it is in, or above a group of properties without a blank line;
- at the top of the type that it is in, before the first member: what holds for all of it (`@unchecked`, above all).
"""

import bisect
import re

from house import Finding
from swift_source import TYPES

REACH = 20
UNSAFE = re.compile(r"(?<![@\w.])(?<!unowned\()unsafe\b(?!\s*[:=])|@unchecked\b")
MARK = "SAFETY:"


class Reach:
    """The SAFETY lines of a file, and what they are in reach of."""

    def __init__(self, source):
        self.lines, self.comments = source.lines, source.comment_lines
        self.declared = {one.line: one for one in source.declarations}
        self.starts = sorted(self.declared)
        self.around = []  # the lines of the opening braces that each line is in, the innermost last
        braces = []
        for number, line in enumerate(self.lines, 1):
            self.around.append(list(braces))
            for brace in re.findall("[{}]", line):
                if brace == "{":
                    braces.append(number)
                elif braces:
                    braces.pop()

    def marked(self, number):
        return MARK in self.comments.get(number, "")

    def member(self, number):
        """The line on which the declaration begins that a line belongs to."""
        index = bisect.bisect_right(self.starts, number)
        return self.starts[index - 1] if index else number

    def told_above(self, number):
        """Whether a SAFETY line is above a declaration or its group, without a blank line or a body between them."""
        while number > 1:
            number -= 1
            code = self.lines[number - 1].rstrip()
            if self.marked(number):
                return True
            if code.endswith(("{", "}")) or not (code or number in self.comments):
                return False
        return False

    def told_at_top(self, number):
        """Whether the comments that the type of this line begins with have a SAFETY line."""
        while "{" not in self.lines[number - 1] and number < len(self.lines):
            number += 1
        number += 1
        while number <= len(self.lines) and not self.lines[number - 1].strip():
            if self.marked(number):
                return True
            number += 1
        return False

    def told_before(self, number, member):
        """Whether a SAFETY line is above in the same member, in the block of the line or in one around it."""
        around = self.around[number - 1]
        return any(
            self.marked(above) and around[: len(self.around[above - 1])] == self.around[above - 1]
            for above in range(max(member, number - REACH), number)
        )

    def covers(self, number):
        member = self.member(number)
        if self.marked(number) or self.told_before(number, member) or self.told_above(member):
            return True
        types = {self.member(brace) for brace in self.around[number - 1]} | {member}
        return any(
            self.told_at_top(one) or self.told_above(one)
            for one in types
            if one in self.declared and self.declared[one].kind in TYPES
        )


def findings(house):
    for source in house.swift_files("Sources/*.swift", "Tests/*.swift", "Benchmarks/*.swift", "Guests/*.swift"):
        reach = None
        for number, line in enumerate(source.lines, 1):
            if UNSAFE.search(line):
                reach = reach or Reach(source)
                if not reach.covers(number):
                    yield Finding(
                        source.path, number,
                        f"no '// SAFETY:' line within {REACH} lines above in the function; say there why this holds",
                    )
