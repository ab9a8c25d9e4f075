import Apus
import ApusTesting
import Glibc
import TestLimits
import TestSupport
import Testing

@Suite("Network cards in Linux guests", .requiresKVM, .ownThread)
struct NetworkTests {
  /// 3 MiB in which no two blocks of 4 KiB are the same.
  private static let content: [UInt8] = {
    let block = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 0x9E37_79B1 >> 13) }
    return (0..<768).reduce(into: []) { content, number in
      content += [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
      content += block[2...]
    }
  }()

  @Test(
    "through passt the guest gets an address and both sides reach the other, also after passt has died",
    .requiresUserNamespaces
  )
  func passt() async throws {
    let source = HostSocket.listening()
    let sink = HostSocket.listening()
    let forward = { HostSocket.listening().port }()
    var configuration = try LinuxGuest.executing(
      [
        "printf '#!/bin/sh\\necho lease $1 $ip $router\\n' >/tmp/s", "chmod +x /tmp/s",
        "ip link set eth0 up", "udhcpc -i eth0 -n -q -s /tmp/s 2>/dev/null",
        "ip addr add 10.0.2.15/24 dev eth0", "ip route add default via 10.0.2.2",
        "echo mtu $(cat /sys/class/net/eth0/mtu)", "echo mac $(cat /sys/class/net/eth0/address)",
        "nc 10.0.2.2 \(source.port) </dev/null >/tmp/a", "nc 10.0.2.2 \(sink.port) </tmp/a",
        "httpd -p 80 -h /tmp", "C=/sys/class/net/eth0/carrier", "echo serving",
        "while [ $(cat $C) = 1 ]; do sleep 0.02; done", "echo link down",
        "while [ $(cat $C) = 0 ]; do sleep 0.02; done", "echo link up",
        "nc 10.0.2.2 \(source.port) </dev/null | cmp - /tmp/a && echo same again",
      ].joined(separator: "; ")
    )
    let forwards = [Configuration.Device.Network.Forward(hostPort: forward, guestPort: 80)]
    configuration.commandLine += " initcall_blacklist=trace_eval_init"
    var network = Configuration.Device.Network(.passt(forwards: forwards, hostLoopback: true))
    network.mac = Configuration.Device.MACAddress("02:11:22:33:44:55")
    configuration.devices = [Configuration.Device(.network(network))]
    var returned: [UInt8] = []
    var fetched: [UInt8] = []

    let run = try await GuestRun.boot(configuration) { _, console in
      let limit = TestLimit(.seconds(170))
      try await source.accepted(until: limit).send(Self.content, until: limit)
      returned = try await sink.accepted(until: limit).receive(until: limit)
      try await console.expect("serving")
      let client = HostSocket.connecting(to: forward)
      try await client.send(Array("GET /a HTTP/1.0\r\n\r\n".utf8), until: limit)
      fetched = try await client.receive(until: limit)
      let process = try #require(HostProcess.children(of: getpid(), named: "passt", with: "\(forward)").first)
      kill(process, SIGKILL)
      try await console.expect("link up")
      try await source.accepted(until: limit).send(Self.content, until: limit)
    }

    let isReturned = returned == Self.content
    let isFetched = Array(fetched.suffix(Self.content.count)) == Self.content
    #expect(run.lines.contains("lease bound 10.0.2.15 10.0.2.2"))
    #expect(run.lines.contains("mtu 65520"))
    #expect(run.lines.contains("mac 02:11:22:33:44:55"))
    #expect(isReturned)
    #expect(isFetched)
    #expect(run.lines.contains("link down"))
    #expect(run.lines.contains("same again"))
    let card = try #require(run.report.devices.first)
    let isBusy = card.bytesWritten > 6 << 20 && card.bytesRead > 6 << 20
    #expect(isBusy)
    #expect(card.type == "network")
    #expect(card.refusedAccesses == 0)
    #expect(card.faults == 0)
    #expect(HostProcess.children(of: getpid(), named: "passt", with: "\(forward)").isEmpty)
  }

  @Test("descriptors carry packets between cards in different windows, and a peer that goes takes the link down")
  func descriptors() async throws {
    let stream = try Self.pair(SOCK_STREAM)
    let packets = try Self.pair(SOCK_SEQPACKET)
    let lonely = try Self.pair(SOCK_STREAM)
    defer { for descriptor in stream + packets + [lonely[0]] { close(descriptor) } }
    var configuration = try LinuxGuest.executing(
      [
        "unshare -n sleep 1000 & P=$!", "sleep 0.2",
        "for i in 0 2; do J=$((i + 1)); ip link set eth$J netns $P; ip link set eth$i up",
        "ip addr add 192.0.$i.1/24 dev eth$i; nsenter -t $P -n ip link set eth$J up",
        "nsenter -t $P -n ip addr add 192.0.$i.2/24 dev eth$J; done",
        "head -c 2000000 /dev/urandom >/tmp/a",
        "nsenter -t $P -n httpd -p 80 -h /tmp",
        "for i in 0 2; do wget -q -O /tmp/b http://192.0.$i.2/a; cmp /tmp/a /tmp/b && echo same $i; done",
        "ip link set eth4 up", "while [ $(cat /sys/class/net/eth4/carrier) = 0 ]; do sleep 0.02; done", "echo carrier",
        "while [ $(cat /sys/class/net/eth4/carrier) = 1 ]; do sleep 0.02; done", "echo link down",
      ].joined(separator: "; ")
    )
    configuration.commandLine += " initcall_blacklist=trace_eval_init"
    configuration.devices = (stream + packets + [lonely[0]]).enumerated().map { index, descriptor in
      var device = Configuration.Device(.network(Configuration.Device.Network(.descriptor(descriptor))))
      device.window = "window\(index % 2)"
      return device
    }
    configuration.dma = .confined(windowSize: 16 << 20)

    let run = try await GuestRun.boot(configuration) { _, console in
      try await console.expect("carrier")
      close(lonely[1])
    }

    #expect(run.lines.contains("same 0"))
    #expect(run.lines.contains("same 2"))
    #expect(run.lines.contains("link down"))
    #expect(run.report.devices.map(\.refusedAccesses) == [0, 0, 0, 0, 0])
    #expect(run.report.devices.map(\.faults) == [0, 0, 0, 0, 0])
  }

  private static func pair(_ type: __socket_type) throws -> [Int32] {
    var ends: [Int32] = [-1, -1]
    // SAFETY: the array has room for two. 0x80000 is SOCK_CLOEXEC.
    try #require(unsafe socketpair(AF_UNIX, Int32(type.rawValue) | 0x80000, 0, &ends) == 0)
    return ends
  }
}
