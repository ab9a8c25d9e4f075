import Apus

/// The bare-metal guest `puppet` of a machine: Guests/BareMetal/README.md has its lines.
final class Puppet {
  let machine: Machine
  private var lines: ConsoleStream.Lines.Iterator

  /// Waits until it says that it is there.
  init(_ machine: Machine) async {
    self.machine = machine
    lines = machine.console.lines.makeAsyncIterator()
    guard await line() == "puppet" else { fatalError("no puppet in \(machine.configuration.name)") }
  }

  /// Tells it a line, whose answer is to be waited for.
  func tell(_ line: String) { machine.console.send(line + "\n") }

  /// The words behind the `ok` of its answer.
  func answer() async -> [String] {
    let line = await line()
    let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    guard words.first == "ok" else { fatalError("\(machine.configuration.name) answers: \(line)") }
    return Array(words.dropFirst())
  }

  /// The same where they are numbers.
  func numbers() async -> [UInt64] { await answer().map { UInt64($0, radix: 16) ?? .max } }

  func ask(_ line: String) async -> [String] {
    tell(line)
    return await answer()
  }

  /// A line of numbers, and the numbers of its answer.
  func ask(_ command: String, _ numbers: UInt64...) async -> [UInt64] {
    tell(Self.line(command, numbers))
    return await self.numbers()
  }

  static func line(_ command: String, _ numbers: [UInt64]) -> String {
    ([command] + numbers.map { String($0, radix: 16) }).joined(separator: " ")
  }

  private func line() async -> String {
    guard let line = await lines.next() else {
      let message = await machine.report.message
      fatalError("\(machine.configuration.name) has ended: \(message)")
    }
    return String(line.filter { $0 != "\r" && $0 != "\r\n" })
  }

  /// What its device tree says of a queue pair, a doorbell or the resource manager: capabilities and interrupts.
  struct Node {
    let capabilities: [UInt64]
    let interrupts: [UInt64]
  }

  func node(_ model: String, label: UInt64) async -> Node {
    for index in 0..<8 as Range<UInt64> {
      let numbers = await ask("g \(model) \(index)").map { UInt64($0, radix: 16) ?? .max }
      if numbers[4] == label { return Node(capabilities: Array(numbers[..<2]), interrupts: Array(numbers[2..<4])) }
    }
    fatalError("\(machine.configuration.name) has no \(model) \(label)")
  }
}

/// The resource manager, as a puppet asks it: requests as drivers/virt/gunyah/rsc_mgr.c writes them.
final class Manager {
  private let puppet: Puppet
  private let link: Puppet.Node
  private var sequence: UInt16 = 0

  init(_ puppet: Puppet) async {
    self.puppet = puppet
    link = await puppet.node("gunyah-resource-manager", label: 0)
  }

  /// Requests of memory parcels.
  enum Message: UInt32 {
    case accept = 0x5100_0011
    case lend = 0x5100_0012
    case release = 0x5100_0014
    case reclaim = 0x5100_0015
  }

  /// Asks for what has to succeed.
  ///
  /// - Returns: what comes behind the reply's error.
  @discardableResult
  func ask(_ message: Message, _ payload: [UInt8]) async -> [UInt8] {
    sequence += 1
    let size = 232
    let continuations = UInt8((payload.count - 1) / size)
    for part in 0...Int(continuations) {
      let kind: UInt8 = part == 0 ? 1 : 0
      let header = [0x21, kind | continuations << 2] + bytes(sequence) + bytes(message.rawValue)
      let fragment = header + payload.dropFirst(part * size).prefix(size)
      let sent = await puppet.ask("qs \(String(link.capabilities[0], radix: 16)) 0 \(Self.hexadecimal(fragment))")
      guard sent[0] == "0" else { fatalError("a fragment is answered \(sent)") }
    }
    while true {
      let received = await puppet.ask("qr \(String(link.capabilities[1], radix: 16)) 2710")
      guard received[0] == "0" else { fatalError("no reply to \(message)") }
      let digits = Array(received[2])
      let reply = stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
      // All else is notifications.
      guard reply[1] & 3 == 2 else { continue }
      guard reply[8..<12].allSatisfy({ $0 == 0 }) else { fatalError("\(message) is answered \(reply)") }
      return Array(reply[12...])
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

/// Little-endian.
func bytes<Value: FixedWidthInteger>(_ values: Value...) -> [UInt8] {
  values.flatMap { value in
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
  }
}
