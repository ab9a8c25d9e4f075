import json, socket, sys

class Machine:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines, self.notices, self.number = self.socket.makefile("rw"), [], 0
        self.call("hello", version=1)

    def call(self, method, **parameters):
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": parameters}
        print(json.dumps(request), file=self.lines, flush=True)
        while (answer := json.loads(self.lines.readline())).get("id") != self.number:
            self.notices.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def notice(self):
        return self.notices.pop(0) if self.notices else json.loads(self.lines.readline())

if __name__ == "__main__":
    machine = Machine(sys.argv[1])
    print(machine.call("info")["state"])
    machine.call("events.subscribe", kinds=["state", "ended"])
    machine.call("pause")
    machine.call("resume")
    print([machine.notice()["params"]["state"] for _ in range(3)])
