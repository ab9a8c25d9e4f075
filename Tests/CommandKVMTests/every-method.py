"""Asks a running machine for every method that its schema has, over its socket; by the class of the page's example.

    usage: every-method.py EXAMPLE FOLDER

EXAMPLE is Documentation/Examples/control.py. FOLDER has the image `other.img`, and the sockets of three machines, which
end: `linux`, with all that ControlTests gives to it, and `powerOff` and `kill`. Prints each method's name when it has
answered as it is to.
"""

import importlib.util
import json
import sys
import time

example, folder = sys.argv[1:]
specification = importlib.util.spec_from_file_location("control", example)
control = importlib.util.module_from_spec(specification)
specification.loader.exec_module(control)
machine = control.Machine(folder + "/linux")
asked = []


def ask(method, expected=None, **parameters):
    """Calls a method whose answer has to have these values."""
    try:
        answer = machine.call(method, **parameters)
    except RuntimeError as error:
        sys.exit(f"{error}, for {parameters}")
    for key, value in (expected or {}).items():
        if answer.get(key) != value:
            sys.exit(f"{method}: {key} is {answer.get(key)} and not {value} in {json.dumps(answer)}")
    if method not in asked:
        asked.append(method)
        print(method, flush=True)
    return answer


def notice(method, is_it):
    """Waits for a notice."""
    for _ in range(10000):
        message = machine.notice()
        if message["method"] == method and is_it(message["params"]):
            return
    sys.exit(f"{method}: the notice did not come")


def output(text):
    """Waits for what the guest writes, in whichever pieces it comes."""
    written = []

    def has_text(told):
        written.append(told["data"])
        return text in "".join(written)

    notice("console.output", has_text)


def event(kind, **values):
    notice("event", lambda told: told["kind"] == kind and all(told.get(key) == value for key, value in values.items()))


machine.socket.settimeout(300)
ask("hello", {"version": 1}, version=1)
names = [method["name"] for method in ask("schema")["schema"]["methods"]]
events = ask("events.subscribe")["subscription"]
console = ask("console.subscribe", replay=True)["subscription"]
output("# ")
ask("console.send", data="echo $((6 * 7))\r")
output("42")
ask("unsubscribe", {"lost": 0}, subscription=console)
ask("info", {"state": "running", "cpus": 2, "boots": 1})
ask("statistics", {"state": "running", "boots": 1})
ask("pause", {"state": "paused"})
event("state", state="paused")
ask("resume", {"state": "running"})
event("state", state="running")
ask("snapshot", {"directory": folder + "/snapshot"}, directory=folder + "/snapshot")
ask("memory.resize", {"name": "hotplug", "requested": 512 << 20}, size=512 << 20)
event("memory", requested=512 << 20, plugged=512 << 20)
if [region["plugged"] for region in ask("memory")["regions"]] != [512 << 20]:
    sys.exit("memory: not what was told")
ask("network.link", device="network2", up=False)
ask("network.link", device="network2", up=True)
ask("disk.resize", {"size": 8 << 20}, device="block1", size=8 << 20)
ask("disk.change", {"size": 2 << 20}, device="block0", path=folder + "/other.img")
transcript = ask("scmi.transcript.subscribe")["subscription"]
agents = [agent["name"] for agent in ask("scmi.agents")["agents"]]
if sorted(agents) != ["guest", "owner"]:
    sys.exit(f"scmi.agents: {agents}")
if not ask("scmi.resources", kind="clocks")["resources"]:
    sys.exit("scmi.resources: none")
ask("scmi.read", resource="clocks/pll")
ask("scmi.set", {"value": 200000000}, resource="clocks/pll", value=200000000)
ask("scmi.permit", agent="guest", resource="clocks/pll", access="read")
ask("scmi.vote", {"status": "DENIED"}, agent="guest", resource="clocks/pll", on=True)
ask("scmi.permit", agent="guest", resource="clocks/pll", access="full")
ask("scmi.vote", {"status": "SUCCESS"}, agent="guest", resource="clocks/pll", on=True)
notice("scmi.transcript", lambda told: told["subscription"] == transcript)
ask("scmi.rules.add", rule={"name": "late", "action": {"late": 5000}})
if "late" not in [rule["name"] for rule in ask("scmi.rules")["rules"]]:
    sys.exit("scmi.rules: not the one that was added")
ask("scmi.rules.remove", name="late")
ask("scmi.step", step={"setSensor": "die", "values": [50000]})
ask("reset")
event("ended", isLast=False)
# Until the guest that starts anew has asked to be notified.
while "powerButton" not in asked:
    try:
        machine.call("powerButton")
        asked.append("powerButton")
    except RuntimeError:
        time.sleep(0.5)
event("ended", isLast=True)
for last in ("powerOff", "kill"):
    machine = control.Machine(folder + "/" + last)
    ask(last)
missing = [name for name in names if name not in asked]
if missing:
    sys.exit(f"not asked: {missing}")
print("every method")
