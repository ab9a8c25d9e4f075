"""Draws a recorded table as bars in SVG: a group of rows has a scale, and each subject's figure stands at its bar."""

import math
from html import escape

from rows import MILLION

WIDTH, EDGE, FIGURES = 960, 24, 186
# How wide labels are, beside subjects and where there is one subject.
LABELS, ALONE = 176, 250
BAR, PITCH, LINE, GAP = 10, 15, 14, 7
OTHERS = ("peer", "kvmtool")
# What a unit of the table is in the figures' own, where it is another: lines of a scale are round numbers of it.
WHOLE = {"M": MILLION, "MB": MILLION, "MiB": 1 << 20, "ms": MILLION, "µs": 1000}
STYLE = """\
text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; } .group { font-size: 13px; font-weight: 600; }
.muted { fill: #59636e; } .tick { font-size: 10px; fill: #59636e; } .end { text-anchor: end; } .middle { text-anchor: middle; }
.paper { fill: #ffffff; stroke: #d1d9e0; } .grid { stroke: #e4e8ec; } .zero { stroke: #818b98; }
.apus { fill: #2f74c0; } .other { fill: #c9822b; } .goal { stroke: #1f2328; stroke-width: 2; } .missed { fill: #b3202c; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .muted { fill: #9198a1; } .tick { fill: #9198a1; }
.paper { fill: #0d1117; stroke: #3d444d; } .grid { stroke: #262c36; } .zero { stroke: #656c76; }
.apus { fill: #5aa2f5; } .other { fill: #d9a04e; } .goal { stroke: #f0f6fc; } .missed { fill: #ff7b72; }
}"""


class Scale:
    """Where a value lies between two places. Logarithmic where a figure to reach would otherwise not be seen."""

    def __init__(self, rows, left, right):
        values = [value for row in rows for value in (*row.values.values(), *row.limits.values()) if value is not None]
        limits = [limit for row in rows for limit in row.limits.values() if limit > 0]
        self.left, self.right, self.whole = left, right, WHOLE.get(rows[0].unit, 1)
        self.least, self.most = min(0, *values, 0), max(0, *values, 0)
        self.logarithmic = bool(limits) and min(limits) < self.most / 25 and self.least == 0
        if self.logarithmic:
            self.least = self.whole * 10 ** math.floor(math.log10(min(value for value in values if value > 0) / self.whole))

    def place(self, value):
        if self.most == self.least:
            return self.left
        if self.logarithmic:
            share = math.log(max(value, self.least) / self.least) / math.log(self.most / self.least)
        else:
            share = (value - self.least) / (self.most - self.least)
        return self.left + share * (self.right - self.left)

    def ticks(self):
        if self.most == self.least:
            return []
        least, most = self.least / self.whole, self.most / self.whole
        if self.logarithmic:
            powers = range(round(math.log10(least)), math.floor(math.log10(most)) + 1)
            return [self.whole * 10 ** power for power in powers]
        rough = (most - least) / 5
        unit = 10 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        return [self.whole * step * count for count in range(math.ceil(least / step), math.floor(most / step) + 1)]


class Drawing:
    """The elements of a picture from top to bottom."""

    def __init__(self):
        self.lines, self.y = [], 0

    def text(self, x, y, text, kind):
        kind = f' class="{kind}"' if kind else ""
        self.lines.append(f'<text x="{number(x)}" y="{number(y)}"{kind}>{escape(text, quote=False)}</text>')

    def line(self, x, top, bottom, kind):
        self.lines.append(f'<path d="M{number(x)} {number(top)}V{number(bottom)}" class="{kind}"/>')

    def bar(self, left, right, y, kind):
        self.lines.append(f'<rect x="{number(left)}" y="{number(y)}" width="{number(right - left)}" height="{BAR}" '
                          f'class="{kind}"/>')


def number(value):
    return f"{value:.1f}".removesuffix(".0")


def length(text, size=12):
    """About how long a text is, in pixels, with room to spare."""
    return len(text) * size * 0.56


def broken(text, width):
    """The lines of a text that is no wider than that."""
    lines = [""]
    for word in text.split():
        more = f"{lines[-1]} {word}".strip()
        if length(more) <= width or not lines[-1]:
            lines[-1] = more
        else:
            lines.append(word)
    return lines


def peak(row):
    return max((abs(value) for value in (*row.values.values(), *row.limits.values()) if value is not None), default=0)


def groups(rows):
    """A heading, and the rows under it with their labels: those that begin with … belong to the one before."""
    found = []
    for row in rows:
        if row.what.startswith("… "):
            found[-1][1].append((row.what[2:], row))
        else:
            heading, _, label = row.what.rpartition(": ")
            found.append((heading or label, [(label if heading else "", row)]))
    return found


def panels(rows):
    """The rows of a group that have a scale in common: one unit, and sizes that can be seen beside each other."""
    found = []
    for label, row in rows:
        last = found[-1] if found else None
        if last and last[0][1].unit == row.unit:
            most = max(peak(one) for _, one in last)
            if most / 200 <= peak(row) <= most * 200:
                last.append((label, row))
                continue
        found.append([(label, row)])
    return found


def tick_text(row, value):
    return "0" if value == 0 else row.limit_text(value)


def draw_panel(drawing, rows, headings, labels, left):
    scale = Scale([row for _, row in rows], left, WIDTH - EDGE - FIGURES)
    zero = scale.place(0)
    top, bars = drawing.y, Drawing()
    bars.y = top + 3
    for label, row in rows:
        lines = broken(label, labels - 12)
        for count, line in enumerate(lines):
            bars.text(EDGE, bars.y + 9 + count * LINE, line, "")
        y = bars.y
        for subject, heading in headings.items():
            value = row.values.get(subject)
            if value is None:
                continue
            start, end = sorted((zero, scale.place(value)))
            if len(headings) > 1:
                bars.text(left - 8, y + 9, heading, "muted end")
            if end > start:
                # A figure that is there is seen.
                bars.bar(start, max(end, start + 1), y, "other" if subject in OTHERS else "apus")
            limit = row.limits.get(subject)
            mark = None if limit is None else scale.place(limit)
            if mark is not None:
                bars.line(mark, y - 2, y + BAR + 2, "goal")
            draw_figure(bars, end, mark, y + 9, row, subject)
            y += PITCH
        bars.y = max(y, bars.y + len(lines) * LINE) + GAP
    bottom = bars.y - GAP + 2
    for tick in scale.ticks():
        drawing.line(scale.place(tick), top, bottom, "grid")
    drawing.line(zero, top, bottom, "zero")
    drawing.lines += bars.lines
    drawing.y = bottom
    ticks = scale.ticks()
    for tick in ticks:
        drawing.text(scale.place(tick), bottom + 11, tick_text(rows[0][1], tick), "tick middle")
    if scale.logarithmic:
        drawing.text(EDGE, bottom + 11, "logarithmic: ten times a line", "tick")
    drawing.y += 18 if ticks else 2


def draw_figure(drawing, end, mark, y, row, subject):
    """The figure at its bar's end, and beside it, or beside the mark of what it is to be, by what it is held."""
    text = row.text(row.values[subject])
    if mark is None:
        drawing.text(end + 6, y, text, "")
        return
    limit = row.limit_text(row.limits[subject])
    kind, more = ("missed", f"misses {limit}") if row.missed(subject) else ("muted", f"of {limit}")
    if mark - end > length(text) + 12:
        drawing.text(end + 6, y, text, "")
        drawing.text(mark + 6, y, more, kind)
    else:
        drawing.lines.append(f'<text x="{number(max(end, mark) + 6)}" y="{number(y)}">{escape(text, quote=False)}'
                             f'<tspan dx="7" class="{kind}">{escape(more, quote=False)}</tspan></text>')


def draw_legend(drawing, table):
    """What the colours and the mark mean, as far as there are such."""
    x, y = EDGE, drawing.y
    subjects = {subject for row in table.rows for subject, value in row.values.items() if value is not None}
    for kind, text in (("apus", "Apus"), ("other", "another monitor")):
        if subjects & set(OTHERS):
            drawing.bar(x, x + 18, y - 9, kind)
            drawing.text(x + 24, y, text, "muted")
            x += 24 + length(text) + 18
    if any(row.limits for row in table.rows):
        drawing.line(x + 4, y - 11, y + 3, "goal")
        drawing.text(x + 12, y, "the most that it is to be", "muted")
    about = f"instructions, where no other unit stands · less is better · {table.origin['date']}"
    drawing.text(WIDTH - EDGE, y, about, "muted end")


def description(table):
    """What stands in place of the picture for who does not see it."""
    *first, last = table.headings.values()
    subjects = f"{', '.join(first)} and {last}" if first else last
    return f"{table.title} as bars: what {subjects} took; Documentation/Benchmarks.md has the figures in a table."


def draw(table):
    """The SVG file of a table."""
    names = list(table.headings.values())
    labels, subjects = (LABELS, max(length(name) for name in names) + 8) if len(names) > 1 else (ALONE, 0)
    drawing = Drawing()
    drawing.text(EDGE, 36, table.title if len(names) > 1 or names[0] == "Apus" else f"{table.title}: {names[0]}", "title")
    drawing.y = 58
    draw_legend(drawing, table)
    drawing.y += 14
    for heading, rows in groups(table.rows):
        drawing.y += 20
        drawing.text(EDGE, drawing.y, heading, "group")
        drawing.y += 8
        for panel in panels(rows):
            draw_panel(drawing, panel, table.headings, labels, EDGE + labels + subjects)
    height = math.ceil(drawing.y + 14)
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        'aria-labelledby="title description">',
        f'<title id="title">{escape(table.title, quote=False)}</title>',
        f'<desc id="description">{escape(description(table), quote=False)}</desc>',
        f"<style>\n{STYLE}\n</style>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6" class="paper"/>',
        *drawing.lines, "</svg>")) + "\n"
