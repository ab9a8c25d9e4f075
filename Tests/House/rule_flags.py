"""Only the command knows its flags: the libraries' texts and comments name none."""

import re

from house import Finding

FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
# The words of another program's command line, which a library writes.
PROGRAMS = {
    "Sources/HostBackends/Network/PasstProgram.swift",
    "Sources/HostBackends/VhostUser/VirtiofsdProgram.swift",
}
# What stands behind the name of another program is that program's.
OTHERS = re.compile(r"\b(?:dtc|objcopy|passt|xz)\b[^();,]*")


def findings(house):
    for source in house.sources:
        if source.path.startswith("Sources/ApusCommand/") or source.path in PROGRAMS:
            continue
        for number, text in sorted(source.strings + source.comments):
            for flag in FLAG.findall(OTHERS.sub("", text)):
                yield Finding(
                    source.path, number,
                    f"'{flag}' is the command's; say here what it means, and let Sources/ApusCommand name it",
                )
