"""A kind of device stands in its own files and in the two lists, and nowhere else in the library and the command.

The kinds are the cases of the enumeration KindName. A kind's type, case, resource, option and flags are looked for;
what the machine itself has of a kind (a console's text, a platform's tree) goes by names of its own.
"""

import re

from house import Finding

LIBRARY, COMMAND = "Sources/Apus/", "Sources/ApusCommand/"
DEVICES, OPTIONS = LIBRARY + "Devices/", COMMAND + "Options/"
# QEMU's words for devices: a vocabulary of its own, of which each kind that has one is a part.
VOCABULARY = COMMAND + "QEMU/"
LISTS = (DEVICES + "DeviceKinds.swift", OPTIONS + "DeviceOptions.swift")
NAMES = re.compile(r"enum KindName\b[^{]*\{([^{}]*)\}")
# The configuration has properties of these names, whose cases look the same.
PROPERTIES = {"console", "memory"}


def own_file(house, folder, kind, ending=""):
    """The stem of a kind's file, in its own letters: `SCMI` of `scmi`."""
    wanted = (folder + kind + ending + ".swift").lower()
    for path in house.files(folder + "*.swift"):
        if path.lower() == wanted:
            return path[len(folder) : -len(ending + ".swift")]
    return None


def findings(house):
    if LISTS[0] not in house.all_files:
        return
    listed = NAMES.search(house.swift(LISTS[0]).code)
    if not listed:
        yield Finding(LISTS[0], 1, "no enumeration KindName with the kinds of device; the rule reads it")
        return
    sources = house.swift_files(LIBRARY + "*.swift", COMMAND + "*.swift")
    for kind in re.findall(r"\bcase (\w+)", listed[1]):
        stem = own_file(house, DEVICES, kind)
        if stem is None:
            yield Finding(LISTS[0], 1, f"the kind '{kind}' has no file in {DEVICES}; write it")
            continue
        if own_file(house, OPTIONS, kind, "Option") is None:
            yield Finding(LISTS[1], 1, f"the kind '{kind}' has no file in {OPTIONS}; write it")
        word = rf"\bDevice\.{stem}\b|\b{stem}(?:Resource|Option)\b|\bmake{stem}Device\b|(?<!\w)\.{kind}\("
        word += rf"|[=!]= \.{kind}\b" + ("" if kind in PROPERTIES else rf"|\bcase \.{kind}\b")
        word, flag = re.compile(word), re.compile(rf"\"--{kind}(?![\w-])")
        own = (DEVICES + stem + ".", DEVICES + stem + "+", OPTIONS + stem + "Option.", OPTIONS + stem + "Option+")
        for source in sources:
            if source.path in LISTS or source.path.startswith((*own, VOCABULARY)):
                continue
            places = [match.start() for match in word.finditer(source.code)]
            if kind not in PROPERTIES:
                places += [match.start() for match in flag.finditer(source.text)]
            for line in sorted({source.line_of(place) for place in places}):
                yield Finding(source.path, line, f"this knows the kind '{kind}'; say it in {own[0]}swift or its option's")
