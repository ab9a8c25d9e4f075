"""The tables of figures, from what `measure` printed on the host."""

from typing import Callable, NamedTuple

from rows import MILLION, Noise, Row

# What a heap's huge page takes of the host's kernel, in instructions and so in nanoseconds, and of memory.
HUGE_PAGE = Noise(least=155_000)
HUGE_PAGE_RESIDENT = Noise(least=2 << 20)
# What is mapped of a program's file with each fault.
PAGES_OF_A_FAULT = Noise(least=64 << 10)
PASST = Noise(0.05)
# Subjects of what other processes do for a guest, by their headings.
REMOTE = {"in-place": "in place", "direct": "direct", "bounced": "bounced"}
REMOTE_DISKS = {"in-process": "in process", **REMOTE, "iommu": "IOMMU", "shadow": "shadow", "messages": "messages"}


def boot_rows(figures):
    subjects = ("library", "apus", "peer")

    def row(what, value, unit, library=None, apus=None, noise=Noise()):
        limits = {name: limit for name, limit in (("library", library), ("apus", apus)) if limit is not None}
        return Row(what, {subject: value(subject) for subject in subjects}, unit, limits, noise)

    def count(what, *places):
        return lambda subject: sum(figures[f"{what}/{subject}"][place] for place in places)

    def per_exit(place):
        return lambda subject: (figures[f"mmio-10000/{subject}"][place] - figures[f"mmio-0/{subject}"][place]) / 10000

    def memory(kind):
        return lambda subject: figures[f"memory/{subject}"][kind]

    def size(subject):
        return figures[f"size/{subject}"] if subject != "peer" else None

    mebibyte = 1 << 20
    return [
        row("Linux to userspace and power off: user", count("linux", "user"), "M", 0.9 * MILLION, 0.9 * MILLION),
        row("… host kernel", count("linux", "kernel"), "M", 9.3 * MILLION, 9.3 * MILLION, HUGE_PAGE),
        row("… guest", count("linux", "guest"), "M", 61 * MILLION, 61 * MILLION),
        row("… resident at the end, guest RAM included", lambda subject: figures[f"linux/{subject}"]["peakResident"], "MB",
            27 * MILLION, 27 * MILLION, HUGE_PAGE_RESIDENT),
        row("process start to first guest instruction: user + kernel", count("first", "user", "kernel"), "M",
            1.5 * MILLION, 3 * MILLION, HUGE_PAGE),
        row("… user", count("first", "user"), "M"),
        row("… host kernel", count("first", "kernel"), "M", noise=HUGE_PAGE),
        row("… user + kernel, arguments left to the parser",
            lambda subject: count("first-parsed", "user", "kernel")(subject) if subject == "apus" else None, "M",
            noise=HUGE_PAGE),
        row("guest that powers off at once: user + kernel", count("off", "user", "kernel"), "M", noise=HUGE_PAGE),
        row("… user", count("off", "user"), "M", None, 0.8 * MILLION),
        row("… host kernel", count("off", "kernel"), "M", None, 1.3 * MILLION, HUGE_PAGE),
        row("MMIO read answered by a peripheral: user per exit", per_exit("user"), "", 400, 400),
        row("… host kernel per exit", per_exit("kernel"), ""),
        row("resident beyond guest RAM, Linux, 1 vCPU, 128 MiB", memory("resident"), "MiB", 8 * mebibyte, 8 * mebibyte,
            PAGES_OF_A_FAULT),
        row("… of that private", memory("private"), "MiB", mebibyte, mebibyte),
        row("stripped static executable", size, "MiB"),
    ]


def device_rows(figures):
    """Costs of an operation: the difference of two runs, divided by how many more there were in the second."""
    all_places = ("user", "kernel", "guest")

    def cost(what, operations, *places):
        def of(subject):
            before, after = figures[f"{what}-0/{subject}"], figures[f"{what}-{operations}/{subject}"]
            return sum(after[place] - before[place] for place in places) / operations
        return {subject: of(subject) for subject in ("open", "confined", "peer")}

    def extra(what, operations):
        """What confinement adds in user mode. The same code runs: what is left is noise of less than a hundredth."""
        costs = cost(what, operations, "user")
        return Row("… user, more than open", {"open": None, "confined": costs["confined"] - costs["open"], "peer": None},
                   "", {"confined": costs["open"] / 100}, Noise(least=costs["open"] / 100))

    def rows(name, what, operations, unit, user, kernel):
        yield Row(f"{name}: user per {unit}", cost(what, operations, "user"), "", {"open": user})
        yield Row(f"… host kernel per {unit}", cost(what, operations, "kernel"), "", {"open": kernel})
        yield Row(f"… guest per {unit}", cost(what, operations, "guest"), "")
        yield extra(what, operations)

    def beside_peer(name, what, operations, unit, part, both=Noise(), user=Noise(), guest=Noise()):
        """What is to be at most a part of what the peer takes in the same run, and each row's noise."""
        costs = cost(what, operations, "user", "kernel")
        yield Row(f"{name}: user + host kernel per {unit}", costs, "", {"open": part * costs["peer"]}, both)
        yield Row("… user", cost(what, operations, "user"), "", noise=user)
        yield Row("… guest", cost(what, operations, "guest"), "", noise=guest)

    def boot():
        none, *four = (sum(figures[place][kind] for kind in all_places)
                       for place in ("devices-none/confined", "devices-four/open", "devices-four/confined"))
        more = {subject: value - none for subject, value in zip(("open", "confined"), four)}
        return Row("boot to init with four devices, more than with none: user + host kernel + guest",
                   {**more, "peer": None}, "M", {"open": 10 * MILLION, "confined": 10 * MILLION}, HUGE_PAGE)

    def notifications(depth):
        """A write that is no answer to an interrupt can only be a notification."""
        reports = [figures[f"exits-{depth}-{count}"] for count in (0, 4000)]
        writes, interrupts = ([report["exits"]["mmioWrites"] for report in reports],
                              [sum(device["interrupts"] for device in report["devices"]) for report in reports])
        exits = writes[1] - writes[0] - (interrupts[1] - interrupts[0])
        return Row(f"exits for notifications in 4,000 reads at depth {depth}",
                   {"open": exits, "confined": None, "peer": None}, "", {"open": 0})

    return [
        *rows("4 KiB random direct read, depth 1", "read", 4000, "read", 3500, 28000),
        *rows("the same at depth 32", "read-32", 4000, "read", 2000, 12000),
        *beside_peer("1 MiB sequential direct read", "sequence", 64, "MiB", 0.6),
        extra("sequence", 64),
        *beside_peer("1 MiB sequential direct write", "write", 64, "MiB", 0.6),
        extra("write", 64),
        *beside_peer("TCP stream to the host through passt, passt included", "stream", 64, "MiB", 0.8, PASST, Noise(0.1)),
        *beside_peer("TCP round trip of a byte, passt included", "echo", 300, "round trip", 0.8, Noise(0.16), guest=PASST),
        notifications(1),
        notifications(32),
        boot(),
    ]


def scmi_rows(figures):
    def table(what, value, unit, limit=None, noise=Noise()):
        return Row(what, {"apus": value}, unit, {} if limit is None else {"apus": limit}, noise)

    def message(shape):
        """User mode of one request to the platform alone."""
        short, long = (figures[f"platform-{requests}/{shape}"]["user"] for requests in (1000, 101000))
        return (long - short) / 100000

    def cost(with_it, without, operations=1):
        """User, host kernel, guest and virtual time that one operation takes more."""
        of = [(*(figures[f"{name}/counts"][place] for place in ("user", "kernel", "guest")),
               figures[f"{name}/report"]["time"]["wall"]) for name in (with_it, without)]
        return [(more - fewer) / operations for more, fewer in zip(*of)]

    def rows(what, costs, unit, time, noise=Noise()):
        """The noise is that of the host's kernel, and so of the time."""
        yield table(f"{what}: user", costs[0], unit)
        yield table("… host kernel", costs[1], unit, noise=noise)
        yield table("… guest", costs[2], unit)
        yield table("… virtual time", costs[3], *time, noise=noise)

    def kicks(name):
        return figures[f"{name}/report"]["devices"][0]["kicks"]

    small, large = message("1x10"), message("64x1000")
    rate = cost("reads-platform", "reads-fixed", 10000)
    entropy = cost("entropy-2001", "entropy-1", kicks("entropy-2001") - kicks("entropy-1"))
    return [
        table("platform alone, 1 agent × 10 clocks: user per CLOCK_RATE_GET", small, "", 600),
        table("… 64 agents × 1,000 clocks each", large, "", 600),
        table("… against 1 × 10", large / small, "ratio", 1.1),
        table("… resident memory of the program, 1 × 10", figures["platform-resident/1x10"] * 1024, "MiB"),
        table("… 64 × 1,000", figures["platform-resident/64x1000"] * 1024, "MiB"),
        *rows("boot with ten protocols and 200 resources, more than without, open", cost("boot-open-with", "boot-open-without"),
              "M", ("ms", 60 * MILLION), HUGE_PAGE),
        *rows("the same boot, confined", cost("boot-confined-with", "boot-confined-without"), "M", ("ms", 60 * MILLION), HUGE_PAGE),
        *rows("CLOCK_RATE_GET through Linux, 10,000 times, each", rate, "", ("µs",)),
        *rows("request to the entropy device, each of 2,000", entropy, "", ("µs",)),
        table("user + host kernel of CLOCK_RATE_GET against it", sum(rate[:2]) / sum(entropy[:2]), "ratio", 1.3),
    ]


def memory_rows(figures):
    """A plug and an unplug of 1 GiB; of what the peer takes in the same run, a half is to suffice for each."""
    def of(subject, steps, *places):
        """The mean of three runs."""
        return sum(figures[f"plug-{steps}-{turn}/{subject}"][place] for place in places for turn in (1, 2, 3)) / 3

    def both(*places):
        return {subject: (of(subject, 16, *places) - of(subject, 0, *places)) / 8 for subject in ("apus", "peer")}

    def plug(*places):
        return {subject: of(subject, 17, *places) - of(subject, 16, *places) for subject in ("apus", "peer")}

    def beside_peer(what, costs):
        return Row(f"{what} 1 GiB: user + host kernel", costs, "M", {"apus": 0.5 * costs["peer"]}, Noise(0.1))

    pairs, plugs = both("user", "kernel"), plug("user", "kernel")
    returned = figures["returned/apus"]
    return [
        beside_peer("plug", plugs),
        beside_peer("unplug", {subject: pairs[subject] - plugs[subject] for subject in pairs}),
        Row("plug and unplug together: user", both("user"), "M"),
        Row("… host kernel", both("kernel"), "M"),
        Row("… guest", both("guest"), "M"),
        Row("written, freed and unplugged: not returned to the host",
            {"apus": 100 * returned["after"] / returned["before"], "peer": None}, "%", {"apus": 2}),
        Row("… of so much", {"apus": returned["before"], "peer": None}, "MiB", better="neither"),
    ]


def control_rows(figures):
    def row(what, value, unit, limit=None, noise=Noise(), better="lower"):
        return Row(what, {"apus": value}, unit, {} if limit is None else {"apus": limit}, noise, better)

    def per_request(*places):
        return sum(figures["ask-10000/apus"][place] - figures["ask-0/apus"][place] for place in places) / 10000

    def time(microseconds):
        """Virtual time of as many reads."""
        more, none = (figures[f"load-every-{microseconds}-{count}/report"]["time"]["wall"] for count in (20000, 0))
        return more - none

    def more(kind):
        return figures["idle-with/apus"][kind] - figures["idle-without/apus"][kind]

    return [
        row("round trip of info, client included: user + host kernel", per_request("user", "kernel"), "", 60000),
        row("… user", per_request("user"), ""),
        row("… host kernel", per_request("kernel"), ""),
        row("20,000 reads of a guest's disk while info is asked 100 times a second: virtual time against without",
            time(10000) / time(0), "ratio", 1.01),
        row("… virtual time without", time(0), "ms"),
        row("… requests in it", figures["load-every-10000-20000/requests"] - figures["load-every-10000-0/requests"], "",
            better="neither"),
        row("resident with an idle socket, more than without: bytes", more("resident"), "", 128 << 10,
            PAGES_OF_A_FAULT),
        row("… of that private", more("private"), "", noise=Noise(least=4096)),
    ]


def pause_rows(figures):
    """Each alone, as the program itself counted them."""
    costs = figures["pause/library"]

    def rows(what, name, noise):
        cost = costs[name]
        yield Row(f"{what}: user + host kernel, mean of 50", {"library": cost["user"] + cost["kernel"]}, "", {"library": 300000}, noise)
        yield Row("… user", {"library": cost["user"]}, "", noise=noise)
        yield Row("… host kernel", {"library": cost["kernel"]}, "", noise=noise)
        yield Row("… the most that one took", {"library": cost["most"]}, "", better="neither")

    return [
        *rows("pause of four vCPUs and all devices under load", "pause", Noise(0.05)),
        *rows("resumption of the same", "resume", Noise(0.45)),
        Row("in each of them: reading the counters", {"library": costs["reading"]["user"] + costs["reading"]["kernel"]}, ""),
    ]


class Remote:
    """Costs of an operation of a device whose back-end is another process, all processes together."""

    def __init__(self, figures, subjects):
        self.figures, self.subjects = figures, subjects

    def run(self, name, subject, places):
        """What a run took, with its server if that was counted on its own."""
        counts = [self.figures[f"{name}/{subject}{part}"] for part in ("", "-server") if f"{name}/{subject}{part}" in self.figures]
        return sum(count[place] for count in counts for place in places)

    def cost(self, what, operations, *places):
        return {subject: (self.run(f"{what}-{operations}", subject, places) - self.run(f"{what}-0", subject, places)) / operations
                if f"{what}-0/{subject}" in self.figures else None for subject in self.subjects}

    def rows(self, name, what, operations, unit, limits=None, user_limits=None, both=Noise(), user=Noise(), kernel=Noise()):
        """`limits`: of all that the costs in user mode and in the host's kernel make together. And each row's noise."""
        yield Row(f"{name}: user + host kernel per {unit}", self.cost(what, operations, "user", "kernel"), "", limits, both)
        yield Row("… user", self.cost(what, operations, "user"), "", user_limits, user)
        yield Row("… host kernel", self.cost(what, operations, "kernel"), "", noise=kernel)
        yield Row("… guest", self.cost(what, operations, "guest"), "")


def remote_rows(figures):
    remote = Remote(figures, (*REMOTE, "peer"))

    def folder(name, what, operations, unit, noise=Noise()):
        peer = remote.cost(what, operations, "user", "kernel")["peer"]
        return remote.rows(name, what, operations, unit, {"in-place": 0.8 * peer, "direct": 0.7 * peer},
                           both=noise, kernel=noise)

    return [
        *folder("4 KiB random read of a shared file past the cache", "folder-read", 4000, "read", Noise(0.03)),
        *folder("walk through a shared folder of 10,000 files", "folder-walk", 10000, "file"),
        *remote.rows("TCP stream through passt by vhost-user, passt included", "remote-stream", 64, "MiB",
                     {"in-place": 0.6 * 1_470_000, "direct": 0.6 * 1_470_000}, None, *[Noise(0.27)] * 3),
    ]


def remote_disk_rows(figures):
    remote = Remote(figures, (*REMOTE_DISKS, "peer"))

    def more(what, operations):
        """In user mode and the host's kernel, than in the machine's own process."""
        costs = remote.cost(what, operations, "user", "kernel")
        return {subject: None if subject in ("in-process", "peer") else cost - costs["in-process"] for subject, cost in costs.items()}

    def exits(depth):
        def of(subject):
            if f"remote-exits-{depth}-0/{subject}/report" not in figures:
                return None
            reports = [figures[f"remote-exits-{depth}-{count}/{subject}/report"] for count in (0, 4000)]
            writes, interrupts = ([report["exits"]["mmioWrites"] for report in reports],
                                  [sum(device["interrupts"] for device in report["devices"]) for report in reports])
            return writes[1] - writes[0] - (interrupts[1] - interrupts[0])
        return Row(f"exits for notifications in 4,000 reads at depth {depth}", {subject: of(subject) for subject in (*REMOTE_DISKS, "peer")},
                   "", {"in-place": 0, "direct": 0})

    small, large = more("remote-read", 4000), more("remote-sequence", 64)
    # What takes more with more bytes than without the copy.
    without = {"bounced": "in-place", "shadow": "in-process", "messages": "in-process"}
    growth = {subject: ((large[subject] or 0) - (small[subject] or 0)) / 255 for subject in small}
    copies = {subject: growth[subject] - growth[without[subject]] if subject in without else None for subject in small}
    plain = remote.cost("remote-read", 4000, "user")["in-process"]

    def of_difference(costs, share, operations=1):
        """The noise of a difference is that of what it is the difference of."""
        return Noise(least={subject: share * cost / operations if cost is not None else None for subject, cost in costs.items()})

    read, sequence = (remote.cost(what, operations, "user", "kernel")
                      for what, operations in (("remote-read", 4000), ("remote-sequence", 64)))
    return [
        *remote.rows("4 KiB random direct read, depth 1", "remote-read", 4000, "read", None,
                     {"shadow": plain + 6000}),
        Row("… user + host kernel, more than in process", small, "", noise=of_difference(read, 0.02)),
        Row("… the copy's share of it", copies, "", noise=of_difference(sequence, 0.05, 255)),
        *remote.rows("the same at depth 32", "remote-read-32", 4000, "read", both=Noise(0.06), kernel=Noise(0.16)),
        *remote.rows("1 MiB sequential direct read", "remote-sequence", 64, "MiB", both=Noise(0.05), kernel=Noise(0.06)),
        Row("… user + host kernel, more than in process", large, "", noise=of_difference(sequence, 0.05)),
        exits(1),
        exits(32),
    ]


def served_rows(figures):
    def row(what, suffix, limit, *places):
        platform, fixed = (sum(figures[f"served-{clock}/apus{suffix}"][place] for place in places) for clock in ("clock5", "clk24mhz"))
        return Row(what, {"apus": (platform - fixed) / 10000}, "", {} if limit is None else {"apus": limit})

    return [
        row("CLOCK_RATE_GET of a served platform, 10,000 times, each: the server's user + host kernel", "-server", 15000, "user", "kernel"),
        row("… user", "-server", None, "user"),
        row("… host kernel", "-server", None, "kernel"),
        row("… the machine's user + host kernel", "", None, "user", "kernel"),
    ]


def harness_rows(figures):
    """Of whole suites of 34 lines each, which the program makes of the lines that it is asked for."""
    suites = [lines // 34 for lines in (34_000, 1_000_000)]

    def per_line(*places):
        few, many = (sum(figures[f"harness-{lines}/apus"][place] for place in places) for lines in (34_000, 1_000_000))
        return (many - few) / (34 * (suites[1] - suites[0]))

    def row(what, value, limit=None):
        return Row(what, {"apus": value}, "", {} if limit is None else {"apus": limit})

    return [
        row("a line of KTAP read, of a million: user + host kernel", per_line("user", "kernel"), 2000),
        row("… user", per_line("user")),
    ]


def beside(figures, name, subjects, limits):
    """The rows of a whole command beside another one; `limits`: of all values, the most time and instructions, or None."""
    def of(*keys):
        return {subject: sum(figures[f"{name}/{subject}"][key] for key in keys) for subject in subjects}

    time, all_places = of("time"), of("user", "kernel", "guest")
    most_time, most = ({} if limit is None else {"apus": limit} for limit in limits(time, all_places))
    return (Row("{}: virtual time of the whole command", time, "ms", most_time, HUGE_PAGE),
            Row("… user + host kernel + guest", all_places, "M", most, HUGE_PAGE),
            Row("… user", of("user"), "M"),
            Row("… host kernel", of("kernel"), "M", noise=HUGE_PAGE),
            Row("… guest", of("guest"), "M"))


def named(what, rows):
    for row in rows:
        row.what = row.what.format(what)
        yield row


def trivial_rows(figures):
    return [
        *named("a script that ends at once", beside(figures, "trivial", ("apus", "run"),
                                                   lambda _, places: (200 * MILLION, 1.15 * places["run"]))),
        *named("the same, without the preparation of events' names", beside(figures, "trivial-short", ("apus", "run"),
                                                                            lambda *_: (None, None))),
    ]


def exec_rows(figures):
    return list(named("true, on a Debian's files",
                      beside(figures, "true", ("apus", "peer"), lambda time, _: (0.5 * time["peer"], None))))


def snapshot_rows(figures):
    """What a snapshot and a machine that goes on from one take, beside the boot of its guest and the peer's migration."""
    def counted(name, *places):
        return sum(figures[name][place] for place in places)

    def more(name, without, *places):
        return counted(name, *places) - counted(without, *places)

    def row(what, unit, limit=None, noise=Noise(), apus=None, boot=None, peer=None):
        return Row(what, {"apus": apus, "boot": boot, "peer": peer}, unit, {} if limit is None else {"apus": limit}, noise)

    def taken(*places):
        return {"apus": more("full/apus", "nothing/apus", *places), "peer": more("peer-migrated/peer", "peer-nothing/peer", *places)}

    def first(*places):
        return {"apus": counted("restore-first/apus", *places), "boot": counted("restore-first/boot", *places)}

    def answer(what, boot):
        times = {"apus": figures["answer/apus"]["time"], "boot": figures[f"answer/{boot}"]["time"]}
        return row(what, "ms", 0.1 * times["boot"], HUGE_PAGE, **times)

    full, differential, told = taken("user", "kernel"), more("differential/apus", "changing/apus", "user", "kernel"), {
        name: figures[f"snapshot-{name}"] for name in ("full", "filled", "differential")}
    large = more("filled/apus", "filling/apus", "user", "kernel")
    clones = figures["clones"]
    return [
        row("snapshot of a booted guest: user + host kernel", "M", 0.25 * full["peer"], Noise(0.05), **full),
        row("… user", "M", **taken("user")),
        row("… host kernel", "M", noise=Noise(0.1), **taken("kernel")),
        row("… the guest stands still: virtual time", "ms", 15 * MILLION, Noise(0.25), apus=told["full"]["paused"]),
        row("… bytes", "MiB", apus=told["full"]["size"], peer=figures["peer-size"]["size"]),
        row("process start to first guest instruction: user + kernel", "M", 4.5 * MILLION, HUGE_PAGE, **first("user", "kernel")),
        row("… user", "M", **first("user")),
        row("… host kernel", "M", noise=HUGE_PAGE, **first("kernel")),
        answer("process start to a shell that answers: virtual time", "boot"),
        answer("… of a kernel that does not prepare events' names: virtual time", "short-boot"),
        row("50 clones of one snapshot: private memory of each, the most", "MiB", 3 << 20, Noise(least=2 << 20), apus=clones["most"]),
        row("… median", "MiB", noise=Noise(0.05), apus=clones["median"]),
        row("snapshot of a guest with 88 MiB more in use: user + host kernel", "M", noise=Noise(0.05), apus=large),
        row("… bytes", "MiB", apus=told["filled"]["size"]),
        row("differential after 1 % of the pages have changed: user + host kernel", "M", 0.03 * large, Noise(0.05), apus=differential),
        row("… bytes", "MiB", 0.03 * told["filled"]["size"], Noise(0.1), apus=told["differential"]["size"]),
        row("… the guest stands still: virtual time", "ms", noise=Noise(0.25), apus=told["differential"]["paused"]),
    ]


def gunyah_rows(figures):
    """Where threads wake each other the scheduler decides what comes together: that is the noise of those rows."""
    def row(what, value, unit="", limit=None, noise=Noise()):
        return Row(what, {"apus": value}, unit, {} if limit is None else {"apus": limit}, noise)

    def calls(what, name, limit, noise):
        costs = figures[name]
        yield row(f"{what}: user + host kernel", costs["user"] + costs["kernel"], limit=limit, noise=noise)
        yield row("… user", costs["user"], noise=noise)
        yield row("… host kernel", costs["kernel"], noise=noise)
        yield row("… allocations", costs["allocations"], limit=0)

    def parcel(what, name, slots, limit):
        times = figures[name]
        yield row(f"64 MiB lent in 2 MiB pieces {what}, used, taken back: slots made and taken away", figures[slots], limit=limit)
        yield row("… virtual time", times["whole"], "ms", noise=Noise(0.05))
        for key, text in (("lend", "to lend"), ("accept", "to accept"), ("use", "to write all of it"), ("reclaim", "to release and reclaim")):
            yield row(f"… {text}", times[key], "ms", noise=Noise(0.15))

    idle, plain = figures["gunyah-idle"], figures["gunyah-idle-plain"]
    woken = Noise(0.1)
    return [
        *calls("a message of 240 bytes through a queue of 8 that is kept full, send to receive, both machines",
               "gunyah-streamed", 25000, Noise(0.05)),
        *calls("the same through a queue of 64", "gunyah-streamed-deep", None, Noise()),
        *calls("a message that wakes its receiver, who answers so", "gunyah-exchanged", None, woken),
        *calls("doorbell send that raises an interrupt", "gunyah-doorbell", 9000, Noise()),
        *calls("the same where it wakes the receiver, both machines", "gunyah-doorbell-heard", None, woken),
        *parcel("side by side", "gunyah-parcel", "gunyah-slots", 40),
        *parcel("apart", "gunyah-parcel-apart", "gunyah-slots-apart", None),
        row("two machines idle for 20 s: wake-ups, more than of two without Gunyah", idle["wakes"] - plain["wakes"], limit=0),
        row("… all wake-ups", idle["wakes"]),
        row("… user + host kernel", idle["user"] + idle["kernel"], "M"),
    ]


class Table(NamedTuple):
    """A table: its name, the part of the measurement that it is of, what it is about, its subjects, and its rows."""

    name: str
    part: str
    title: str
    headings: dict
    rows: Callable

    def headings_with(self, peer):
        """The subjects' headings by their names."""
        return {subject: heading or peer for subject, heading in self.headings.items()}


PEER = {"peer": None}
TABLES = (
    Table("boot", "boot", "A boot, a start, an exit and memory", {"library": "Apus library", "apus": "apus run", **PEER}, boot_rows),
    Table("devices", "devices", "Devices", {"open": "open", "confined": "confined", **PEER}, device_rows),
    Table("scmi", "scmi", "SCMI", {"apus": "Apus"}, scmi_rows),
    Table("memory", "memory", "Hot-plug memory", {"apus": "Apus library", **PEER}, memory_rows),
    Table("control", "control", "The control socket", {"apus": "apus run"}, control_rows),
    Table("pause", "pause", "Pauses", {"library": "Apus library"}, pause_rows),
    Table("other-processes", "other-processes", "Devices in other processes", {**REMOTE, **PEER}, remote_rows),
    Table("disk", "other-processes", "A disk, by all ways", {**REMOTE_DISKS, **PEER}, remote_disk_rows),
    Table("served", "other-processes", "A platform that is served", {"apus": "Apus"}, served_rows),
    Table("harness", "harness", "Reading what tests print", {"apus": "ApusHarness"}, harness_rows),
    Table("test", "one-command", "One test in a guest", {"apus": "apus test", "run": "apus run, without it"}, trivial_rows),
    Table("exec", "one-command", "One command in a guest", {"apus": "apus exec", "peer": "virtme-ng 1.42, QEMU, KVM"}, exec_rows),
    Table("gunyah", "gunyah", "Gunyah", {"apus": "Apus"}, gunyah_rows),
    Table("snapshot", "snapshot", "Snapshots", {"apus": "Apus", "boot": "the guest's boot", **PEER}, snapshot_rows),
)
