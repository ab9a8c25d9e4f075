import Glibc
import Host
import TestSupport
import Testing
import VirtioDevices

@testable import HostBackends

/// An Ethernet frame with an IPv4 packet that has a TCP segment with nothing but SYN, to a port of an address.
private func connectionRequest(to address: [UInt8], port: UInt16, from source: UInt16) -> [UInt8] {
  let own: [UInt8] = [10, 0, 2, 15]
  func checksum(_ bytes: [UInt8]) -> [UInt8] {
    var sum = stride(from: 0, to: bytes.count, by: 2).reduce(UInt32(0)) {
      $0 + UInt32(bytes[$1]) << 8 + UInt32($1 + 1 < bytes.count ? bytes[$1 + 1] : 0)
    }
    while sum > 0xFFFF { sum = sum & 0xFFFF + sum >> 16 }
    return [UInt8(truncatingIfNeeded: ~sum >> 8), UInt8(truncatingIfNeeded: ~sum)]
  }
  func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
  var tcp = bytes(source) + bytes(port) + [0, 0, 3, 0xE8, 0, 0, 0, 0, 5 << 4, 2, 0xFF, 0xFF, 0, 0, 0, 0]
  tcp.replaceSubrange(16..<18, with: checksum(own + address + [0, 6] + bytes(UInt16(tcp.count)) + tcp))
  var ip: [UInt8] = [0x45, 0] + bytes(UInt16(20 + tcp.count)) + [0, 1, 0, 0, 64, 6, 0, 0] + own + address
  ip.replaceSubrange(10..<12, with: checksum(ip))
  return [UInt8](repeating: 0xFF, count: 6) + [2, 0, 0, 0, 0, 1, 8, 0] + ip + tcp
}

private func ipv6Packet(to address: [UInt8]) -> [UInt8] {
  [UInt8](repeating: 2, count: 12) + [0x86, 0xDD, 0x60, 0, 0, 0, 0, 0, 59, 64] + [UInt8](repeating: 0xFE, count: 16)
    + address
}

@Suite struct LoopbackGuardTests {
  private static let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]

  private func isForLoopback(_ packet: [UInt8]) -> Bool {
    // SAFETY: the bytes hold for the call.
    unsafe packet.withUnsafeBytes { unsafe LoopbackGuard.isForLoopback($0) }
  }

  @Test(arguments: [[127, 0, 0, 1], [127, 255, 1, 2], [0, 0, 0, 0], [0, 1, 2, 3]] as [[UInt8]])
  func anIPv4PacketToTheHostItselfIsOne(address: [UInt8]) {
    #expect(isForLoopback(connectionRequest(to: address, port: 1, from: 2)))
    #expect(isForLoopback(ipv6Packet(to: Self.mapped + address)))
  }

  @Test(arguments: [[UInt8](repeating: 0, count: 16), [UInt8](repeating: 0, count: 15) + [1]])
  func anIPv6PacketToTheHostItselfIsOne(address: [UInt8]) {
    #expect(isForLoopback(ipv6Packet(to: address)))
  }

  @Test func packetsToOthersAreNone() {
    #expect(!isForLoopback(connectionRequest(to: [10, 0, 2, 2], port: 127, from: 2)))
    #expect(!isForLoopback(connectionRequest(to: [128, 0, 0, 1], port: 1, from: 2)))
    #expect(!isForLoopback(ipv6Packet(to: [0xFD, 0] + [UInt8](repeating: 0, count: 13) + [1])))
    #expect(!isForLoopback([UInt8](repeating: 0, count: 14)))
    let arp = connectionRequest(to: [127, 0, 0, 1], port: 1, from: 2).enumerated().map { $0 == 13 ? 6 : $1 }
    #expect(!isForLoopback(arp))
  }

  @Test(arguments: 0...70)
  func aPacketThatIsCutAnywhereIsJudgedByWhatIsThere(count: Int) {
    let packet = Array(connectionRequest(to: [127, 0, 0, 1], port: 1, from: 2).prefix(count))

    #expect(isForLoopback(packet) == (count >= 34))
  }

  /// With passt itself: which of the addresses that a guest may write reach a server on the host's 127.0.0.1.
  @Test(
    .enabled(if: (try? PasstProgram.find()) != nil, "passt is not installed"),
    arguments: [false, true]
  )
  func onlyWithHostLoopbackAGuestReachesWhatListensOnTheHostsLoopback(isAllowed: Bool) throws {
    let server = try LoopbackServer()
    let loop = try EventLoop()
    let backend = try StreamNetworkBackend(loop, peer: .passt(hostLoopback: isAllowed))
    let program = try PasstProgram.start(
      try PasstProgram.find(),
      PasstProgram.arguments(forwards: [], hostLoopback: isAllowed, mtu: 1500)
    )
    var hasAnswered = false
    backend.turns.connect(
      NetworkEvents(
        readable: {
          backend.noteArrivals()
          while let packet = backend.next() { hasAnswered = hasAnswered || packet[12...13] == [8, 6] }
          if hasAnswered { loop.stop() }
          return false
        },
        writable: { false },
        lost: { loop.stop() }
      )
    )
    try backend.attach(program.takeSocket())

    for (index, address) in ([[10, 0, 2, 2], [127, 0, 0, 1], [0, 0, 0, 0]] as [[UInt8]]).enumerated() {
      #expect(backend.send(connectionRequest(to: address, port: server.port, from: UInt16(4000 + index))))
    }
    // Who has 10.0.2.2? When passt answers it has done what came before.
    let question: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2]
    #expect(backend.send([UInt8](repeating: 0xFF, count: 6) + [2, 0, 0, 0, 0, 1, 8, 6] + question))
    try loop.run()

    #expect(hasAnswered)
    #expect(server.accepts(within: isAllowed ? 10_000 : 300) == isAllowed)
    backend.shutDown()
  }
}

/// A server on the host's 127.0.0.1.
private final class LoopbackServer {
  private let descriptor: Int32
  let port: UInt16

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    // SAFETY: the structure holds for the calls and its size goes along.
    let isListening = unsafe withUnsafeMutablePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe bind(descriptor, address, size) == 0 && listen(descriptor, 8) == 0
          && getsockname(descriptor, address, &size) == 0
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    try #require(isListening)
  }

  deinit {
    close(descriptor)
  }

  func accepts(within milliseconds: Int32) -> Bool {
    guard isReadable(descriptor, within: milliseconds) else { return false }
    let peer = accept(descriptor, nil, nil)
    if peer >= 0 { close(peer) }
    return peer >= 0
  }
}
