"""A line of a table of figures, and how tables are printed."""

MILLION = 1_000_000


class Row:
    """A line of a table: a value for each subject, and the most that it may be with some of them."""

    def __init__(self, what, values, unit, limits=None):
        self.what, self.values, self.unit, self.limits = what, values, unit, limits or {}

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

    def goal(self):
        def text(limit):
            return {"M": f"{limit / MILLION:g} M", "MB": f"{limit / MILLION:g} MB", "MiB": f"{limit / (1 << 20):g} MiB", "": f"{limit:,.0f}",
                    "ms": f"{limit / MILLION:g} ms", "%": f"{limit:g} %", "ratio": f"{limit:g}"}[self.unit]
        return " / ".join(text(limit) for limit in dict.fromkeys(self.limits.values())) or "–"

    def met(self):
        if not self.limits:
            return ""
        return "MISSED" if any(self.missed(subject) for subject in self.limits) else "yes"

    def as_json(self):
        units = {"M": "instructions", "MB": "bytes", "MiB": "bytes", "": "count", "ms": "nanoseconds", "µs": "nanoseconds"}
        return {"what": self.what, "unit": units.get(self.unit, self.unit),
                "values": self.values, "limits": self.limits, "met": None if not self.met() else self.met() == "yes"}


def print_table(rows, headings):
    """Headings: by subject."""
    lines = [("what", *headings.values(), "to reach", "met?")]
    lines += [(row.what, *(row.show(subject) for subject in headings), row.goal(), row.met()) for row in rows]
    last = len(lines[0]) - 1
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) if column in (0, last) else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        print("| " + " | ".join(cells) + " |")
        if number == 0:
            rules = ["-" * width if column in (0, last) else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
            print("| " + " | ".join(rules) + " |")
