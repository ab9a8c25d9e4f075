"""Documentation/Benchmarks.md and its pictures, as far as they are made of the recorded figures."""

import os
import re

import chart
import record
from rows import table_lines

DOCUMENTATION = os.path.join(os.path.dirname(record.HERE), "Documentation")
PAGE = "Benchmarks.md"
FOLDER = "Charts"


def with_tables(text, recorded):
    """The page with each table as it is recorded: under the picture of its name, whose text is written anew, too."""
    for table in recorded:
        picture = f"{FOLDER}/{table.name}.svg"
        place = re.compile(rf"^!\[[^\]]*\]\({re.escape(picture)}\)\n\n(?:\|.*\n)*", re.MULTILINE)
        if len(place.findall(text)) != 1:
            raise ValueError(f"{PAGE} needs one line ![]({picture}), with the table {table.name} under it")
        lines = [f"![{table.title}, as bars; the table below has the figures]({picture})", "", *table_lines(table.rows, table.headings, wide=False)]
        text = place.sub(lambda _: "\n".join(lines) + "\n", text)
    return text


def files(folder, recorded):
    """What the files in the folder are to be, by their paths in it."""
    with open(os.path.join(folder, PAGE), encoding="utf-8") as file:
        made = {PAGE: with_tables(file.read(), recorded)}
    for table in recorded:
        made[f"{FOLDER}/{table.name}.svg"] = chart.draw(table)
    return made


def read(path):
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


def pictures(folder):
    """The paths of the pictures that are there."""
    there = os.path.join(folder, FOLDER)
    return sorted(f"{FOLDER}/{name}" for name in (os.listdir(there) if os.path.isdir(there) else ()) if name.endswith(".svg"))


def faults(folder=DOCUMENTATION, recorded=None):
    """The files that are not those of the recorded figures, each with what is wrong."""
    made = files(folder, record.load() if recorded is None else recorded)
    for path, text in made.items():
        there = read(os.path.join(folder, path))
        if there != text:
            yield path, "is missing" if there is None else "is not what the recorded figures make"
    for path in pictures(folder):
        if path not in made:
            yield path, "has no recorded table"


def write(folder=DOCUMENTATION, recorded=None):
    """Makes the files those of the recorded figures, and gives the paths of those that were not."""
    made = files(folder, record.load() if recorded is None else recorded)
    changed = [path for path, _ in faults(folder, recorded)]
    os.makedirs(os.path.join(folder, FOLDER), exist_ok=True)
    for path in changed:
        if path in made:
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(made[path])
        else:
            os.remove(os.path.join(folder, path))
    return changed
