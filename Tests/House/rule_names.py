"""What stands in back-ticks in the documentation and in comments exists: names, members of types, and paths of files.

Looked at are names in CamelCase and camelCase, `Type.member`, `function(label:)`, paths that begin with a folder of
ours or a target's name, and tests by the name of their target: `ShelfTests/FullShelfTests/oneMore`, where the second
is a file or a suite of that target, and what follows is in it. Anything else in back-ticks is taken for what a person
types or a specification says. words.txt has the names of others that look like ours. What the pages for users of the
libraries name of these has to be public.
"""

import functools
import os
import re

from house import Finding
from rule_comments import labels
from rule_width import prose_lines

LINK = re.compile(r"``([^`\n]+)``")
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
WORD = re.compile(r"[A-Za-z_]\w*")
NAME = re.compile(r"\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\([\w: ]*\))?$")
# lowerCamel, Capitalized and UPPERCamel; what is in capitals alone is a constant of somebody else.
CAMEL = re.compile(r"^(?:[a-z][a-z0-9]*[A-Z]\w*|[A-Z]\w*[a-z]\w*)$")
FILE = re.compile(r"[\w.+-]*(?:/[\w.+*-]+)+/?$|[\w+-]+\.(?:swift|md|c|h|py|sh|json|txt|config|dts)$")
TEST = re.compile(r"(\w+)[./](\w+(?:[./]\w+)*)(?:\(\))?$")
TYPES = ("struct", "class", "enum", "protocol", "actor", "typealias", "extension")
INHERITED = {"init", "self", "rawValue", "allCases"}
WORDS = "Tests/House/words.txt"
# What speaks of the project as it was: names may have changed since.
HISTORY = ("CHANGELOG.md", "Documentation/Decisions/")
# What speaks to who imports the libraries.
LIBRARY = ("Documentation/Library.md", "Documentation/ApusTesting.md")


class Known:
    """All names that stand in the project's code, and what is declared in which type."""

    def __init__(self, house):
        self.house = house
        self.words, self.types, self.members, self.functions = set(), set(), {}, {}
        self.hidden, self.public = set(), set()  # Names of the libraries, those of members with their type's before it.
        places = ("Sources/*", "Tests/*", "Benchmarks/*", "Guests/*", "Package.swift", ".ci/*", "Makefile")
        for path in house.files(*places):
            if path.startswith("Tests/House/") or path.endswith(".md"):
                continue
            if path.endswith(".swift"):
                source = house.swift(path)
                self.words.update(WORD.findall(source.code))
                for _, text in source.strings:
                    self.words.update(WORD.findall(text))
                for one in source.declarations:
                    self._declare(one)
                    if path.startswith("Sources/") and not path.startswith("Sources/ApusCommand/"):
                        self._judge(one)
                    self._called(one)
            elif os.path.getsize(os.path.join(house.root, path)) < 1 << 20:
                self.words.update(WORD.findall(house.text(path)))
        self.modules = {path.split("/")[1] for path in house.files("Sources/*", "Tests/*") if path.count("/") > 1}
        self.folders = {os.path.dirname(path) for path in house.all_files}
        while parents := {os.path.dirname(folder) for folder in self.folders} - self.folders:
            self.folders |= parents
        self.others = set()
        if WORDS in house.all_files:
            for line in house.text(WORDS).split("\n"):
                self.others.update(line.split("#")[0].split())

    def _declare(self, one):
        for name in one.names:
            name = name.strip("`")
            for owner in self.owners(one.parent):
                self.members.setdefault(owner, set()).add(name)
            if one.kind in TYPES:
                self.members.setdefault(name.split(".")[-1], set())
                if one.kind != "extension":
                    self.types.add(name)

    def _judge(self, one):
        """Notes whether who imports the libraries can name it."""
        inherits = one.parent and (one.kind == "case" or one.parent.kind == "protocol")
        access = one.parent.modifiers if inherits else one.modifiers
        names = [name.strip("`") for name in one.names]
        named = names if one.kind in TYPES else []
        named = named + [f"{owner}.{name}" for owner in self.owners(one.parent) for name in names]
        if one.kind != "extension":
            (self.public if {"public", "open"} & set(access) else self.hidden).update(named)

    def _called(self, one):
        """A function is called by its name and labels, an initializer by its type's, too; a case has labels as well."""
        names = [name.strip("`") for name in one.names] + (self.owners(one.parent) if one.kind == "init" else [])
        for name in names:
            self.functions.setdefault(name, []).append(labels(one))

    def is_called(self, name, wanted):
        """Whether a function has these labels, in this order; those with a default value may be left out."""
        for given in map(iter, self.functions.get(name, ())):
            if all(label in given for label in wanted):
                return True
        return False

    @staticmethod
    def owners(parent):
        return [parent.names[0].split(".")[-1]] if parent and parent.names else []

    @functools.cache
    def has_path(self, path, document):
        path = path.rstrip("/")
        near = os.path.normpath(os.path.join(os.path.dirname(document), path))
        if near in self.folders or path in self.folders or self.house.files(near, path, f"*/{path}"):
            return True
        return any(folder.endswith("/" + path) for folder in self.folders)

    @functools.cache
    def tests(self, target):
        """What a test target declares, by the name of the file or type that it stands in."""
        inside = {}
        for path in self.house.files(f"Tests/{target}/*.swift"):
            file = inside.setdefault(os.path.basename(path).removesuffix(".swift"), set())
            for one in self.house.swift(path).declarations:
                names = {name.strip("`").split(".")[-1] for name in one.names}
                file |= names
                for owner in self.owners(one.parent):
                    inside.setdefault(owner, set()).update(names)
                for name in names if one.kind in TYPES else ():
                    inside.setdefault(name, set())
        return inside

    def test_problem(self, target, names):
        """What is wrong with a test that is named by its target, or None."""
        inside = self.tests(target)
        if names[0] not in inside:
            return f"Tests/{target} has no file and no suite '{names[0]}'"
        for owner, name in zip(names, names[1:]):
            if name not in inside.get(owner, ()):
                return f"'{owner}' of Tests/{target} has no '{name}'"
        return None

    def problem(self, text, document):
        """What is wrong with a text in back-ticks of a document, or None."""
        if text in self.others:
            return None
        if (test := TEST.match(text)) and self.tests(test[1]) and not self.has_path(text, document):
            return self.test_problem(test[1], re.split("[./]", test[2]))
        if FILE.match(text) and not text.startswith(("/", "~", "-")):
            first = text.split("/")[0]
            ours = "/" not in text or first in self.folders | self.modules
            if ours and not self.has_path(text, document):
                return "there is no such file"
            return None
        if not NAME.match(text):
            return None
        plain, _, arguments = text.strip(".").partition("(")
        parts = plain.split(".")
        for part in parts:
            if CAMEL.match(part) and part not in self.words | self.others:
                return f"'{part}' is nowhere in the sources"
        if document in LIBRARY:
            for name in parts + [f"{owner}.{member}" for owner, member in zip(parts, parts[1:])]:
                if name in self.hidden - self.public and (name in self.types or "." in name):
                    return f"'{name}' is not public; make it so, or tell of something else"
        for owner, member in zip(parts, parts[1:]):
            if owner in self.types and owner not in self.modules | self.others:
                if member not in self.members[owner] | INHERITED:
                    return f"'{owner}' declares no '{member}'"
        wanted = re.findall(r"(\w+):", arguments)
        if wanted and not self.is_called(parts[-1], wanted):
            return "no function has this name and these labels"
        return None


def findings(house):
    known = Known(house)
    places = [
        (path, number, CODE.findall(line))
        for path in house.files("*.md")
        if not path.startswith(HISTORY)
        for number, line in prose_lines(house.text(path))
    ]
    for source in house.swift_files("*.swift"):
        for number, comment in source.comments:
            # A symbol link has its types before it, with slashes, and what tells overloads apart behind it.
            links = [re.sub(r"-[\w()-]+$", "", link).replace("/", ".") for link in LINK.findall(comment)]
            places.append((source.path, number, CODE.findall(comment) + links))
    for path, number, texts in places:
        for text in texts:
            if problem := known.problem(text, path):
                advice = "" if "; " in problem else f"; write the name that it has now, or {WORDS}"
                yield Finding(path, number, f"`{text}`: {problem}{advice}")
