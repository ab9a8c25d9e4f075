"""Targets import what the table in Documentation/Architecture.md lets them, and Package.swift says the same.

The table is the first one with a column "may import". A target's dependencies are those of its row, each of them is
imported, and nothing else is but the standard library and, where the sentence "… import neither KVM nor an operating
system's module" doesn't name the target, the operating system's C library.
"""

import re

from house import Finding
from swift_source import SwiftSource

TABLE = "Documentation/Architecture.md"
PACKAGE = "Package.swift"
STANDARD = {"Swift", "Synchronization"}
SYSTEM = {"Glibc", "Musl", "Bionic", "Darwin", "Dispatch", "FoundationEssentials", "Foundation"}
# Foundation costs start-up time. The command reads JSON with the essentials; what tests attach is written by them.
FOUNDATION = {"ApusCommand": {"FoundationEssentials"}, "ApusTesting": {"FoundationEssentials"}}
IMPORT = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:\w+\s+(?=\w+\.))?(\w+)", re.MULTILINE)
EXCEPT = re.compile(r" but `\w+`(?:(?:, | and )`\w+`)*")
WITHOUT_SYSTEM = re.compile(r"import\s+neither\s+KVM\s+nor\s+an\s+operating\s+system's\s+module")


class Table:
    """A row for each module: its line and what it may import.

    An open row, "all of the above" or "all of the above but `A` and `B`", names more than it needs.
    """

    def __init__(self, text):
        self.rows, self.lines, self.open = {}, {}, set()
        self.problem = None
        column = None
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if column is None:
                if "may import" in cells:
                    column = cells.index("may import")
            elif not cells:
                break
            elif not set(line) <= set("|-: "):
                self._row(number, cells, column)
        if column is None:
            self.problem = "no table with a column 'may import'; the rule reads it"

    def _row(self, number, cells, column):
        cell = cells[column] if column < len(cells) else ""
        but = EXCEPT.search(cell)
        without = set(re.findall(r"`(\w+)`", but[0])) if but else set()
        cell = EXCEPT.sub("", cell)
        allowed = set(re.findall(r"`(\w+)`", cell))
        # Packages stand there by their names, without back-ticks.
        allowed |= set(re.findall(r"\bswift-[a-z-]+", re.sub(r"`[^`]*`", "", cell)))
        if "all of the above" in cell:
            allowed |= set(self.rows)
            self.open |= set(re.findall(r"`(\w+)`", cells[0]))
        for module in re.findall(r"`(\w+)`", cells[0]):
            self.rows[module] = allowed - {module} - without
            self.lines[module] = number


def without_system(text):
    """The modules that import no operating system's module, as the architecture's sentence names them."""
    match = WITHOUT_SYSTEM.search(text)
    if not match:
        return None
    sentence = re.split(r"(?:^|\n)- |\. ", text[: match.start()])[-1]
    return set(re.findall(r"`(\w+)`", sentence))


def calls(code, names):
    """Each call `.name(…)` of one of the names in a manifest: its offset, name and the text between the brackets."""
    for match in re.finditer(rf"\.({names})\(", code):
        depth = 0
        for end in range(match.end() - 1, len(code)):
            depth += (code[end] in "([") - (code[end] in ")]")
            if depth == 0:
                yield match.start(), match[1], match.end(), end
                break


def targets(manifest):
    """The targets of a manifest: name, kind, folder, line, and the modules and products that it depends on."""
    source = SwiftSource(PACKAGE, manifest)
    # Comments out, strings in: the texts of strings have to be read, and their brackets don't matter here.
    code = list(source.code)
    for index, character in enumerate(manifest):
        if code[index] == " " and not source.comment_lines.get(source.line_of(index)):
            code[index] = character
    code = "".join(code)
    for start, kind, inner, end in calls(code, "target|executableTarget|testTarget|systemLibrary"):
        text = code[inner:end]
        name = re.match(r'\s*name: "(\w+)"', text)
        if not name:
            continue
        products = {match[1]: match[2] for match in re.finditer(r'\.product\(name: "(\w+)", package: "([\w-]+)"', text)}
        listed = re.search(r"dependencies: \[(.*?)\]", text, re.DOTALL)
        modules = set(re.findall(r'"(\w+)"', re.sub(r"\.product\([^)]*\)", "", listed[1]))) if listed else set()
        folder = re.search(r'\bpath: "([^"]+)"', text)
        default = f"{'Tests' if kind == 'testTarget' else 'Sources'}/{name[1]}"
        yield name[1], kind, folder[1] if folder else default, source.line_of(start), modules, products


def findings(house):
    if TABLE not in house.all_files or PACKAGE not in house.all_files:
        return
    table = Table(house.text(TABLE))
    plain = without_system(house.text(TABLE))
    if table.problem:
        yield Finding(TABLE, 1, table.problem)
        return
    if plain is None:
        yield Finding(TABLE, 1, "no sentence '… import neither KVM nor an operating system's module'; write it again")
        plain = set()
    every = list(targets(house.text(PACKAGE)))
    local = {one[0] for one in every}
    programs = {one[0] for one in every if one[1] == "executableTarget"}
    for module in sorted(set(table.rows) - local):
        yield Finding(TABLE, table.lines[module], f"'{module}' is no target of {PACKAGE}; delete or rename the row")
    for name, kind, folder, line, modules, products in every:
        is_ours = folder.startswith("Sources/")
        if is_ours and name not in table.rows:
            yield Finding(PACKAGE, line, f"'{name}' is not in the table of {TABLE}; add it with what it may import")
            continue
        imported = {}
        for source in house.swift_files(f"{folder}/*.swift"):
            for match in IMPORT.finditer(source.code):
                imported.setdefault(match[1], (source.path, source.line_of(match.start(1))))
        if is_ours:
            yield from rows_agree(name, line, modules | set(products.values()), table)
            yield from system_modules(name, name in plain, imported)
        for module, (path, where) in sorted(imported.items()):
            known = module in local or module in products
            if module != name and module in local - modules or not (known or module in STANDARD | SYSTEM | {"Testing"}):
                message = f"'{name}' imports '{module}', which {PACKAGE} doesn't give it; add it or do without"
                yield Finding(path, where, message)
        if kind != "systemLibrary":
            # A program is depended on to be built.
            for module in sorted((modules | set(products)) - set(imported) - programs):
                yield Finding(PACKAGE, line, f"'{name}' depends on '{module}' and imports it nowhere; take it out")


def rows_agree(name, line, given, table):
    allowed = table.rows[name]
    for module in sorted(given - allowed):
        yield Finding(PACKAGE, line, f"'{name}' may not depend on '{module}' by {TABLE}; change one of the two")
    for module in sorted(set() if name in table.open else allowed - given):
        yield Finding(
            TABLE, table.lines[name],
            f"'{name}' may import '{module}' and {PACKAGE} doesn't give it; take it out of the row",
        )


def system_modules(name, is_plain, imported):
    for module, (path, where) in sorted(imported.items()):
        if module in ("Foundation", "FoundationEssentials"):
            if module not in FOUNDATION.get(name, ()):
                yield Finding(path, where, f"'{name}' imports {module}, which costs start-up time; do without")
        elif is_plain and module in SYSTEM:
            yield Finding(
                path, where,
                f"'{name}' imports '{module}', and {TABLE} says that it does without an operating system; "
                "put it behind a protocol",
            )
