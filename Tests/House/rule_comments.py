"""Public declarations say what they are: each has a documentation comment that says more than its name."""

import re

from house import Finding
from swift_source import TYPES

# What the protocols of others ask for says nothing new in a type that conforms.
CONFORMANCES = {
    "description", "debugDescription", "rawValue", "hash", "encode", "==", "<", "makeAsyncIterator", "next",
    "init(rawValue:)", "init(from:)", "init(arrayLiteral:)", "RawValue", "Element",
    # Of Swift Testing.
    "isRecursive", "provideScope",
}
# Words that say nothing by themselves.
EMPTY_WORDS = set(
    "a an the this that these its it is are be of for to in on by with from and or as at which what whose given new "
    "returns return gets get sets set creates create value values".split()
)
THROWN = re.compile(r"\b(throw|fail|error|refus|reject|cannot|impossible|unless|trouble|wrong)\w*", re.IGNORECASE)

# Numbers that mean nothing without a unit, by the ends of their names, and what tells one.
MEASURE = re.compile(
    r"(size|length|offset|limit|capacity|interval|rate|latency|delay|timeout|deadline|time|power|frequency|duration|"
    r"width|bytes)$",
    re.IGNORECASE,
)
INTEGER = re.compile(r":\s*U?Int(8|16|32|64)?\??\s*(=|\{|$)")
UNIT = re.compile(
    r"\b(bytes?|bits?|[KMG]iB|ns|(nano|micro|milli)?seconds?|hours?|minutes?|k?Hz|hertz|sectors?|descriptors?|blocks?|"
    r"pages?|units?|percent|columns?|lines?|words?|cells?|characters?|entries|microvolts?|microwatts?|watts?|granule|"
    r"addresse?s?|multiples?|times|number of|how (many|often)|requests|chains|packets|messages|``\w+``)\b",
    re.IGNORECASE,
)


def words(text):
    """The words of a text or of a name in camelCase, without their endings."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    found = re.findall(r"[a-z0-9]+", split.lower())
    return {re.sub(r"(ies|es|s|ed|ing)$", "", word) for word in found if word not in EMPTY_WORDS}


def full_name(declaration):
    """name(label:label:), as the documentation writes it; without brackets where nothing is called."""
    name = declaration.names[0] if declaration.names else declaration.kind
    if declaration.kind not in ("func", "init", "subscript"):
        return name
    return f"{name}({''.join(label + ':' for label in labels(declaration))})"


def labels(declaration):
    return [label for label, _ in parameters(declaration)]


def parameters(declaration):
    """The label and the name of each of a function's parameters, which are one where it has one."""
    signature = declaration.signature.replace("->", "  ")
    start = signature.find("(")
    if start < 0:
        return []
    found, depth, piece = [], 0, ""
    for character in signature[start:]:
        depth += (character in "([<{") - (character in ")]>}")
        if depth == 0 and character == ")" or depth == 1 and character == ",":
            match = re.match(r"\(?\s*(?:@\w+\s+)*`?(\w+)`?(?:\s+`?(\w+)`?)?", piece)
            if match and ":" not in piece:
                found.append(("_", match[1]))  # a case's value without a label
            elif match:
                found.append((match[1], match[2] or match[1]))
            piece = ""
            if depth == 0:
                break
        else:
            piece += character
    return found


class Types:
    """The types of all sources by their names: their comments, and what their protocols ask for with a comment."""

    def __init__(self, sources):
        self.comments, self.conformances, self.requirements = {}, {}, {}
        for one in (one for source in sources for one in source.declarations):
            if one.kind in TYPES and one.names:
                name = one.names[0].split(".")[-1]
                self.conformances.setdefault(name, set()).update(re.findall(r"\w+", one.signature.partition(":")[2]))
                if one.kind != "extension":
                    self.comments[name] = one.comment
            if one.parent and one.parent.kind == "protocol" and one.comment:
                self.requirements.setdefault(one.parent.names[0], set()).add(full_name(one))

    def is_witness(self, declaration):
        """Whether a protocol of its type asks for the member: then the comment is there."""
        if not declaration.parent or declaration.parent.kind == "protocol":
            return False
        owner = declaration.parent.names[0].split(".")[-1]
        return any(full_name(declaration) in self.requirements.get(one, ()) for one in self.ancestors(owner))

    def ancestors(self, name):
        """A type, the protocols that it conforms to, and those that these build on."""
        found, waiting = set(), [name]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(self.conformances.get(one, ()))
        return found

    def says_for_all(self, declaration):
        """Whether the comment of the type says when its members throw."""
        parent = declaration.parent
        return bool(parent and re.search(r"\bthrow", self.comments.get(parent.names[0].split(".")[-1], "")))


def needs_none(declaration, types, members):
    name = full_name(declaration)
    if name in CONFORMANCES or declaration.names[0] in CONFORMANCES or "override" in declaration.modifiers:
        return True
    parent = declaration.parent
    if types.is_witness(declaration):
        return True
    # A case without a value, in an enumeration whose comment says what the cases are.
    if declaration.kind == "case" and "(" not in declaration.signature and parent and parent.comment:
        return True
    # The initializer that sets the properties: their comments are there.
    if declaration.kind == "init" and "throws" not in declaration.signature and "init?" not in declaration.signature:
        return {name for _, name in parameters(declaration)} <= members.get(parent, set())
    return False


def findings(house):
    types = Types(house.sources)
    for source in house.sources:
        members = {}
        for one in source.declarations:
            if one.kind in ("var", "let"):
                members.setdefault(one.parent, set()).update(one.names)
        for one in source.declarations:
            if not one.is_public or one.kind == "extension" or not one.names:
                continue
            name = full_name(one)
            if not one.comment:
                if not needs_none(one, types, members):
                    yield Finding(
                        source.path, one.line,
                        f"'{name}' is public and has no documentation comment; say what it is, its unit, range, errors",
                    )
                continue
            # What leads to another symbol says more.
            if "``" not in one.comment and words(one.comment) <= words(" ".join(one.names) + " " + one.kind):
                yield Finding(
                    source.path, one.line,
                    f"the comment of '{name}' is its name once more; say what the name doesn't",
                )
            if is_measure(source, one) and not UNIT.search(one.comment + (one.parent.comment if one.parent else "")):
                yield Finding(source.path, one.line, f"the comment of '{name}' says no unit; say what it counts")
            if throws(one) and not (THROWN.search(one.comment) or types.says_for_all(one) or types.is_witness(one)):
                yield Finding(
                    source.path, one.line,
                    f"'{name}' throws and its comment doesn't say when; add '- Throws: …', or say it of the type",
                )


def throws(declaration):
    return declaration.kind in ("func", "init") and re.search(r"\bthrows\b", declaration.signature)


def is_measure(source, declaration):
    """Whether it is a property with a whole number that is something's size, time or the like."""
    line = source.lines[declaration.line - 1]
    return declaration.kind in ("var", "let") and MEASURE.search(declaration.names[0]) and INTEGER.search(line)
