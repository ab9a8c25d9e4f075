"""Swift sources taken apart: code, comments and strings, and the declarations with the comments that belong to them."""

import bisect
import functools
import re

TOKEN = re.compile(r'//[^\n]*|/\*|#*"""|#*"|[{}()\[\]]|`[^`\n]*`')
MODIFIER = (
    r"public|package|open|internal|fileprivate|private|static|class|final|mutating|nonmutating|borrowing|consuming|"
    r"override|required|convenience|indirect|lazy|weak|unowned|nonisolated|dynamic|optional|prefix|postfix|infix"
)
# Brackets in brackets in brackets, as traits of tests have them.
INNER = r"\((?:[^()]|\([^()]*\))*\)"
ATTRIBUTE = rf"@\w+(?:\((?:[^()]|{INNER})*\))?"
DECLARATION = re.compile(
    rf"^\s*(?P<modifiers>(?:(?:{ATTRIBUTE}|(?:{MODIFIER})(?:\(\w+\))?)\s+)*)"
    r"(?P<kind>func|var|let|struct|class|enum|protocol|actor|typealias|init|subscript|extension|case|associatedtype)"
    r"\b(?P<rest>[^\n]*)"
)


class Declaration:
    """What a line declares: its kind, names, access and comment, and the declaration that it is a member of."""

    def __init__(self, line, kind, names, modifiers, signature, comment, parent):
        self.line, self.kind, self.names, self.modifiers = line, kind, names, modifiers
        self.signature, self.comment, self.parent = signature, comment, parent

    @property
    def is_public(self):
        """Whether another module of the package can name it: cases and requirements have their type's access."""
        inherits = self.parent and (self.kind == "case" or self.parent.kind == "protocol")
        access = self.parent.modifiers if inherits else self.modifiers
        return bool({"public", "package", "open"} & set(access))


class SwiftSource:
    """One file. `code` is the text with comments and the texts of strings blanked out; lines are counted from 1."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.comments, self.strings = [], []  # (line, text), one for each line of a comment and of a string
        blank = list(text)
        self._take_apart(0, blank, interpolation=False)
        self.code = "".join(blank)
        self.lines = self.code.split("\n")
        self.comment_lines = {}
        for line, comment in self.comments:
            self.comment_lines[line] = self.comment_lines.get(line, "") + comment

    @functools.cached_property
    def line_starts(self):
        return [0] + [match.end() for match in re.finditer("\n", self.text)]

    def line_of(self, offset):
        return bisect.bisect_right(self.line_starts, offset)

    def _keep(self, kept, blank, start, end):
        line = self.line_of(start)
        for piece in self.text[start:end].split("\n"):
            kept.append((line, piece))
            line += 1
        for index in range(start, end):
            if blank[index] != "\n":
                blank[index] = " "

    def _take_apart(self, position, blank, interpolation):
        """Goes through code from `position` on: to the end of the file, or of the interpolation that it stands in."""
        text, depth = self.text, 0
        while match := TOKEN.search(text, position):
            token, position = match[0], match.end()
            if token.startswith("//"):
                self._keep(self.comments, blank, match.start(), position)
            elif token == "/*":
                position = self._end_of_block_comment(match.start())
                self._keep(self.comments, blank, match.start(), position)
            elif token[0] in '#"':
                position = self._string(token, position, blank)
            elif token == "(":
                depth += 1
            elif token == ")":
                depth -= 1
                if interpolation and depth < 0:
                    return position
        return len(text)

    def _end_of_block_comment(self, position):
        depth = 0
        for match in re.compile(r"/\*|\*/").finditer(self.text, position):
            depth += 1 if match[0] == "/*" else -1
            if depth == 0:
                return match.end()
        return len(self.text)

    def _string(self, opening, position, blank):
        """The string that has begun before `position`: its texts are kept, the code between them taken apart."""
        pounds = opening.count("#")
        closing = opening[pounds:] + "#" * pounds
        escape = re.compile("|".join([re.escape(closing), r"\\" + "#" * pounds + r"(\(|.)", "\n"]), re.DOTALL)
        start = position
        while match := escape.search(self.text, position):
            position = match.end()
            if match[0] == closing or (match[0] == "\n" and len(opening) - pounds == 1):
                self._keep(self.strings, blank, start, match.start())
                return position
            if match[1] == "(":
                self._keep(self.strings, blank, start, match.start())
                start = position = self._take_apart(position, blank, interpolation=True)
        return len(self.text)

    @functools.cached_property
    def declarations(self):
        found, scopes = [], []  # scopes: the declaration that opened each brace, or None
        pending = None
        for number, line in enumerate(self.lines, 1):
            inside = scopes[-1] if scopes else None
            in_type = not scopes or (inside and inside.kind in TYPES)
            match = DECLARATION.match(line) if in_type else None
            if match:
                pending = self._declaration(number, match, inside)
                found.append(pending)
            for brace in re.findall("[{}]", line):
                if brace == "{":
                    scopes.append(pending)
                    pending = None
                elif scopes:
                    scopes.pop()
            if in_type and not match and line.strip() and not line.rstrip().endswith((",", "(")):
                # A signature of several lines ends with the brace; anything else opens a scope of its own.
                if line.rstrip().endswith("}"):
                    pending = None
        return found

    def _declaration(self, number, match, parent):
        kind, rest = match["kind"], match["rest"]
        signature = self._signature(number)
        if kind == "case":
            names = re.findall(r"(?:^|,)\s*`?(\w+)`?", re.sub(r"\([^()]*(\([^()]*\)[^()]*)*\)", "", rest))
        elif kind in ("init", "subscript"):
            names = [kind]
        else:
            names = re.findall(r"^\s+(`?[\w.]+`?|[^\s\w(]+)", rest)
        modifiers = re.findall(r"@?\w+(?:\(\w+\))?", match["modifiers"])
        return Declaration(number, kind, names, modifiers, signature, self._comment_above(number), parent)

    def _signature(self, number):
        """The code from a declaration's line to its body's brace or the end of its statement."""
        text, depth = "", 0
        for line in self.lines[number - 1 : number + 20]:
            for character in line:
                if character in "{=" and depth == 0:
                    return text
                depth += (character in "([") - (character in ")]")
                text += character
            if depth == 0:
                break
            text += " "
        return text

    def _comment_above(self, number):
        """The documentation comment above a line; attributes may stand between them."""
        above = number - 1
        while above > 0 and re.match(r"\s*[@#)]", self.lines[above - 1]):
            above -= 1
        lines = []
        while above > 0 and not self.lines[above - 1].strip() and above in self.comment_lines:
            comment = self.comment_lines[above]
            if comment.startswith("///"):
                lines.insert(0, comment[3:].strip())
            elif not comment.startswith("//"):
                break
            above -= 1
        return "\n".join(lines)


TYPES = ("struct", "class", "enum", "protocol", "actor", "extension")
