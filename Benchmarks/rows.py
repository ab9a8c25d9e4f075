"""A line of a table of figures, its noise, and how tables are printed."""

from typing import NamedTuple

MILLION = 1_000_000
# What a unit's figures are in JSON, and the last digit of them that a table shows.
UNITS = {"M": ("instructions", 10_000), "MB": ("bytes", 100_000), "MiB": ("bytes", (1 << 20) / 100), "": ("count", 1),
         "ms": ("nanoseconds", 10_000), "µs": ("nanoseconds", 100), "%": ("%", 0.01), "ratio": ("ratio", 0.001)}
BETTER = ("lower", "higher", "neither")


class Noise(NamedTuple):
    """By how much two runs of the same differ: a share of the figure, and at least so much of its unit.

    The least is one for all subjects, or one for each. Documentation/Benchmarks.md tells where both come from.
    """

    share: float = 0.02
    least: object = 0

    def of(self, subject, value, unit):
        """What the figure of a subject may differ by. A difference that no table would show is none."""
        least = self.least.get(subject) or 0 if isinstance(self.least, dict) else self.least
        return max(self.share * abs(value), least, UNITS[unit][1])


class Row:
    """A line of a table: a value for each subject, and the most that it may be with some of them.

    `better` tells which way a figure gets better; one that gets neither is there to be known.
    """

    def __init__(self, what, values, unit, limits=None, noise=Noise(), better="lower"):
        self.what, self.values, self.unit, self.limits = what, values, unit, limits or {}
        self.noise, self.better = noise, better

    def missed(self, subject):
        limit, value = self.limits.get(subject), self.values[subject]
        return limit is not None and value is not None and value > limit

    def show(self, subject):
        value = self.values[subject]
        return "–" if value is None else self.text(value) + (" MISSED" if self.missed(subject) else "")

    def text(self, value):
        return {"M": lambda: f"{value / MILLION:.2f} M", "MB": lambda: f"{value / MILLION:.1f} MB", "MiB": lambda: f"{value / (1 << 20):.2f} MiB",
                "": lambda: f"{value:,.0f}", "ms": lambda: f"{value / MILLION:,.2f} ms",
                "µs": lambda: f"{value / 1000:,.1f} µs", "%": lambda: f"{value:.2f} %", "ratio": lambda: f"{value:.3f}"}[self.unit]()

    def limit_text(self, limit):
        return {"M": f"{limit / MILLION:g} M", "MB": f"{limit / MILLION:g} MB", "MiB": f"{limit / (1 << 20):g} MiB", "": f"{limit:,.0f}",
                "ms": f"{limit / MILLION:g} ms", "µs": f"{limit / 1000:g} µs", "%": f"{limit:g} %", "ratio": f"{limit:g}"}[self.unit]

    def goal(self):
        return " / ".join(self.limit_text(limit) for limit in dict.fromkeys(self.limits.values())) or "–"

    def met(self):
        if not self.limits:
            return ""
        return "MISSED" if any(self.missed(subject) for subject in self.limits) else "yes"

    def as_json(self):
        return {"what": self.what, "unit": UNITS[self.unit][0],
                "values": self.values, "limits": self.limits, "met": None if not self.met() else self.met() == "yes"}


def table_lines(rows, headings, wide=True):
    """A table in Markdown, with columns of one width each where it is for a terminal. Headings: by subject."""
    goals = any(row.limits for row in rows)
    lines = [("what", *headings.values(), *(("to reach", "met?") if goals else ()))]
    lines += [(row.what, *(row.show(subject) for subject in headings), *((row.goal(), row.met()) if goals else ())) for row in rows]
    last = len(lines[0]) - 1 if goals else 0
    widths = [max(len(line[column]) for line in lines) if wide else 0 for column in range(len(lines[0]))]
    for number, line in enumerate(lines):
        yield "| " + " | ".join(cell.ljust(width) if column in (0, last) else cell.rjust(width)
                                for column, (cell, width) in enumerate(zip(line, widths))) + " |"
        if number == 0:
            yield "| " + " | ".join("-" * max(width, 3) if column in (0, last) else "-" * max(width - 1, 2) + ":"
                                    for column, width in enumerate(widths)) + " |"


def print_table(rows, headings):
    for line in table_lines(rows, headings):
        print(line)
