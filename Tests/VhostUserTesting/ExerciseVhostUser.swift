internal import CHost
internal import Glibc
internal import Host
internal import VhostUser
internal import Virtio

/// Has a back-end hear what a front-end may send: messages with files, and rings in the memory that it shows.
///
/// A program is a sequence of messages: the request's number, flags, a byte with how many files come along and of what
/// kind they are, the number of the payload's bytes, the payload. A request of 0xFF puts its payload into the memory,
/// at 16 times the flags.
public enum ExerciseVhostUser {
  private static let memorySize = 64 << 10
  private static let putRequest: UInt8 = 0xFF

  /// Runs a program to the end of the connection.
  public static func run(_ program: [UInt8]) {
    guard let server = try? VhostUserServer(log: { _ in }), let (front, back) = try? VhostUserSocket.pair() else {
      return
    }
    var attempt: UnsafePointer<CChar>?
    // SAFETY: the name holds for the call.
    let memory = unsafe chost_sealed_memory("fuzz", memorySize, &attempt)
    guard memory >= 0 else { return }
    let file = VhostUserDescriptor(owning: memory)
    let source = Source()
    guard (try? server.serve(back, source, ended: { server.stopSoon() })) != nil else { return }
    send(program, file, over: front)
    withExtendedLifetime(consume front) {}
    try? server.run()
  }

  private static func send(_ program: [UInt8], _ memory: VhostUserDescriptor, over front: VhostUserSocket) {
    var rest = program[...]
    func byte() -> UInt8 { rest.popFirst() ?? 0 }
    while !rest.isEmpty {
      let (request, flags, kinds, count) = (byte(), byte(), byte(), Int(byte()))
      let payload = Array(rest.prefix(count))
      rest = rest.dropFirst(count)
      if request == putRequest {
        // SAFETY: the array holds for the call and its size goes along.
        _ = unsafe pwrite(memory.rawValue, payload, payload.count, 16 * Int(flags))
        continue
      }
      let files = (0..<Int(kinds & 3)).map { index in descriptor(kinds >> UInt8(2 + 2 * index) & 3, memory) }
      let message = VhostUserMessage(
        request: UInt32(request),
        flags: UInt32(flags),
        payload: payload,
        descriptors: files.compactMap(\.self)
      )
      guard (try? front.send(message)) != nil else { return }
    }
  }

  private static func descriptor(_ kind: UInt8, _ memory: VhostUserDescriptor) -> VhostUserDescriptor? {
    switch kind {
    case 0: return memory
    case 1: return VhostUserDescriptor(owning: eventfd(1, Int32(EFD_CLOEXEC)))
    case 2:
      // SAFETY: the path is a constant.
      return VhostUserDescriptor(owning: unsafe open("/dev/null", O_RDWR | O_CLOEXEC))
    default:
      let copy = dup(memory.rawValue)
      return copy < 0 ? nil : VhostUserDescriptor(owning: copy)
    }
  }

  // MARK: Seeds

  /// What a good front-end sends, and parts of it.
  public static var seeds: [[UInt8]] {
    let features = message(.getFeatures) + message(.setOwner) + message(.getProtocolFeatures)
    let negotiated = message(.setProtocolFeatures, number(0xA209)) + message(.setFeatures, number(0x1_7000_0000))
    let region = number(0x4000_0000) + number(UInt64(memorySize)) + number(0x7000_0000) + number(0)
    let table = message(.setMemTable, number(1) + region, files: 0b01)
    let started = features + negotiated + table + memory + ring(0)
    return [
      started,
      started + message(.getVringBase, number(0)) + ring(0) + message(.resetDevice),
      started + message(.getConfig, [0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0] + number(0)),
      features + negotiated + message(.addMemReg, number(0) + region, files: 0b01) + memory + ring(0)
        + message(.remMemReg, number(0) + region),
      features + table + ring(1),
    ]
  }

  /// A descriptor of 16 bytes to read and one of 16 to write, both available.
  private static var memory: [UInt8] {
    let readable = number(0x4000_8000) + [16, 0, 0, 0, 1, 0, 1, 0]
    let writable = number(0x4000_9000) + [16, 0, 0, 0, 2, 0, 0, 0]
    return put(at: 0, readable + writable) + put(at: 0x80, [0, 0, 1, 0, 0, 0])
  }

  private static func ring(_ index: UInt8) -> [UInt8] {
    let state = [index, 0, 0, 0] as [UInt8]
    let addresses = number(0x7000_0000) + number(0x7000_0400) + number(0x7000_0800) + number(0)
    return message(.setVringNum, state + [64, 0, 0, 0]) + message(.setVringBase, state + [0, 0, 0, 0])
      + message(.setVringAddr, state + [0, 0, 0, 0] + addresses)
      + message(.setVringCall, number(UInt64(index)), files: 0b101)
      + message(.setVringKick, number(UInt64(index)), files: 0b101)
      + message(.setVringEnable, state + [1, 0, 0, 0])
  }

  private static func message(_ request: VhostUserRequest, _ payload: [UInt8] = [], files: UInt8 = 0) -> [UInt8] {
    [UInt8(request.rawValue), 9, files, UInt8(payload.count)] + payload
  }

  private static func put(at place: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [putRequest, place, 0, UInt8(bytes.count)] + bytes
  }

  private static func number(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  private final class Source: VhostUserDeviceSource {
    func makeDevice() throws -> any VirtioDevice { VhostUserServer.device(answering: Reversing()) }
  }

  private final class Reversing: VhostUserService {
    let name = "reversing"
    let identifier = VirtioDeviceIdentifier.entropy
    let queueCount = 2
    let configuration: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]

    func answer(_ request: [UInt8], queue: Int, room: Int) -> [UInt8] { request.reversed() }
  }
}

extension VhostUserServer {
  fileprivate func stopSoon() { loop.stop() }
}
