"""New commits have a subject `Area: What`, at most 72 characters long, and a body where more than 50 lines change.

New is what is in this history and not in that of the commit that since.txt names. In a shallow clone without that
commit, all of the commits are new but the oldest, of which git doesn't know any longer what they changed.
"""

import re

from house import Finding

SINCE = "Tests/House/since.txt"
SUBJECT = re.compile(r"[A-Z][\w,/ -]*: [A-Z0-9`/'\"]\S*.*[^.\s]$")
LONGEST = 72
LINES_WITHOUT_BODY = 50
RECORD, FIELD = "\x1e", "\x1f"


def since(house):
    lines = [line for line in house.text(SINCE).split("\n") if line and not line.startswith("#")]
    return lines[0].strip()


def new_commits(house):
    """The names, subjects, bodies and changed lines of the new commits, or None where they cannot be told."""
    first = since(house)
    if house.git("cat-file", "-e", f"{first}^{{commit}}") is None:
        if (house.git("rev-parse", "--is-shallow-repository") or "").strip() != "true":
            return None
        first = None
    listed = house.git(
        "log", "--no-merges", "--find-renames", "--shortstat",
        f"--format={RECORD}%H{FIELD}%P{FIELD}%s{FIELD}%b{FIELD}", *([f"{first}..HEAD"] if first else ["HEAD"]),
    )
    found = []
    for record in (listed or "").split(RECORD)[1:]:
        name, parents, subject, body, changes = record.split(FIELD)
        if parents:
            changed = sum(int(count) for count in re.findall(r"(\d+) (?:insertion|deletion)", changes))
            found.append((name, subject, body.strip(), changed))
    return found


def findings(house):
    if SINCE not in house.all_files or house.git("rev-parse", "HEAD") is None:
        return
    commits = new_commits(house)
    if commits is None:
        yield Finding(SINCE, 1, f"the commit {since(house)} is not in this history; name one that is")
        return
    for name, subject, body, changed in commits:
        where = f"commit {name[:12]}"
        if len(subject) > LONGEST:
            yield Finding(where, 0, f"a subject of {len(subject)} characters; {LONGEST} are the most: '{subject}'")
        if not SUBJECT.match(subject):
            yield Finding(where, 0, f"'{subject}' is no 'Area: What' without a full stop; reword it")
        if changed > LINES_WITHOUT_BODY and not body:
            yield Finding(where, 0, f"{changed} lines change and no body says why; write one: '{subject}'")
