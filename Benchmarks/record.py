"""The recorded figures, and what a run's figures are against them."""

import json
import os
import subprocess
import time
from typing import NamedTuple

from rows import BETTER, UNITS, Noise, Row

HERE = os.path.dirname(os.path.realpath(__file__))
PATH = os.path.join(HERE, "recorded.json")
# Subjects that Apus is compared with: what they take is nobody's fault here.
PEERS = ("peer", "kvmtool", "apus-then")


class Recorded(NamedTuple):
    """A table as it was recorded. `origin` tells of which run its figures are; one without a part is measured no more."""

    name: str
    part: object
    title: str
    origin: dict
    headings: dict
    rows: list


class Change(NamedTuple):
    """What a figure is against the recorded one: worse, better, moved (where neither is), new, gone, or the same."""

    verdict: str
    table: str
    key: str
    heading: str
    row: Row
    before: object
    now: object
    allowed: float

    def text(self):
        head = f"{self.verdict}: {self.table}: {self.key}, {self.heading}: "
        if self.verdict == "gone":
            return f"{head}recorded {self.row.text(self.before)}, and not measured now"
        if self.verdict == "new":
            return f"{head}{self.row.text(self.now)}, without a record"
        more = self.now - self.before
        share = f"{100 * more / abs(self.before):+.1f} %" if self.before else f"{'+' if more > 0 else '-'}{self.row.text(abs(more))}"
        return f"{head}{self.row.text(self.now)}, recorded {self.row.text(self.before)} ({share}; noise {self.row.text(self.allowed)})"


def keys(rows):
    """A name for each row that no other has: what begins with … belongs to the last that does not."""
    found, base = [], ""
    for row in rows:
        if row.what.startswith("… "):
            found.append(f"{base}: {row.what[2:]}")
        else:
            found.append(row.what)
            base = row.what.rpartition(": ")[0] or row.what
    twice = {key for key in found if found.count(key) > 1}
    if twice:
        raise ValueError(f"rows with the same name: {', '.join(sorted(twice))}")
    return found


def tidy(value):
    """A figure, or those of subjects, with no more digits than tell something."""
    if isinstance(value, dict):
        return {subject: tidy(one) for subject, one in value.items()}
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else round(value, 4)


def row_to_json(key, row):
    limits = {"limits": tidy(row.limits)} if row.limits else {}
    return {"key": key, "what": row.what, "unit": UNITS[row.unit][0], "shown": row.unit, "better": row.better,
            "noise": {"share": row.noise.share, "least": tidy(row.noise.least)}, "values": tidy(row.values), **limits}


def row_from_json(entry):
    if entry["better"] not in BETTER:
        raise ValueError(f"{entry['key']}: {entry['better']} is none of {', '.join(BETTER)}")
    return Row(entry["what"], entry["values"], entry["shown"], entry.get("limits"), Noise(**entry["noise"]), entry["better"])


def load(path=PATH):
    """The recorded tables, in their order; none where there is no file."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        tables = json.load(file)["tables"]
    return [Recorded(table["name"], table["part"], table["title"], table["origin"], table["headings"],
                     [row_from_json(entry) for entry in table["rows"]]) for table in tables]


def save(recorded, path=PATH):
    """A row is a line, so that a new record is read as what it changes."""
    def line(value):
        return json.dumps(value, ensure_ascii=False)

    blocks = []
    for table in recorded:
        rows = ",\n".join("      " + line(row_to_json(key, row)) for key, row in zip(keys(table.rows), table.rows))
        blocks.append(f'    {{"name": {line(table.name)}, "part": {line(table.part)}, "title": {line(table.title)},\n'
                      f'     "origin": {line(table.origin)},\n     "headings": {line(table.headings)},\n'
                      f'     "rows": [\n{rows}\n    ]}}')
    with open(path, "w", encoding="utf-8") as file:
        file.write('{\n  "tables": [\n' + ",\n".join(blocks) + "\n  ]\n}\n")


def origin():
    """Of which commit and day figures are that are measured now."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=HERE, stdout=subprocess.PIPE,
                            text=True, check=False).stdout.strip()
    return {"commit": commit, "date": time.strftime("%Y-%m-%d", time.gmtime())}


def renewed(recorded, ran, peer, origin):
    """The record with the tables that ran as they are now, and the others as they were."""
    now = {table.name: Recorded(table.name, table.part, table.title, origin, table.headings_with(peer), rows)
           for table, rows in ran}
    known = [now.pop(table.name, table) for table in recorded]
    return known + list(now.values())


def judge(row, recorded_row, subject):
    """The verdict on a subject's figure, and the noise that it is judged by: the recorded one."""
    before = None if recorded_row is None else recorded_row.values.get(subject)
    now = None if row is None else row.values.get(subject)
    if before is None and now is None:
        return None
    if before is None:
        return "new", before, now, 0
    allowed = recorded_row.noise.of(subject, before, recorded_row.unit)
    if now is None:
        return "gone", before, now, allowed
    if abs(now - before) <= allowed:
        return "same", before, now, allowed
    if subject in PEERS or recorded_row.better == "neither":
        return "moved", before, now, allowed
    better = now < before if recorded_row.better == "lower" else now > before
    return "better" if better else "worse", before, now, allowed


def compare(recorded, ran):
    """The changes of the tables that ran, each figure's, in their order."""
    changes = []
    known = {table.name: table for table in recorded}
    for table, rows in ran:
        before = known.get(table.name)
        was = dict(zip(keys(before.rows), before.rows)) if before else {}
        now = dict(zip(keys(rows), rows))
        for key in [*now, *(key for key in was if key not in now)]:
            row, recorded_row = now.get(key), was.get(key)
            subjects = dict.fromkeys([*(row.values if row else ()), *(recorded_row.values if recorded_row else ())])
            for subject in subjects:
                judged = judge(row, recorded_row, subject)
                if judged:
                    heading = (before.headings if before else {}).get(subject) or table.headings.get(subject) or subject
                    changes.append(Change(judged[0], table.name, key, heading, row or recorded_row, *judged[1:]))
    return changes


def account(changes):
    """The lines that tell what changed, the worst last, and a summary at the end."""
    count = {verdict: [change for change in changes if change.verdict == verdict]
             for verdict in ("same", "gone", "new", "moved", "better", "worse")}
    compared = sum(len(count[verdict]) for verdict in ("same", "moved", "better", "worse"))
    for verdict in ("gone", "new", "moved", "better", "worse"):
        for change in count[verdict]:
            yield change.text()
    yield (f"against the record: {compared} figures compared: {len(count['worse'])} worse, {len(count['better'])} better, "
           f"{len(count['moved'])} moved that are not judged, {len(count['same'])} within their noise; "
           f"{len(count['new'])} without a record, {len(count['gone'])} recorded and not measured")
