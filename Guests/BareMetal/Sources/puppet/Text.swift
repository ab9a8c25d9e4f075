internal import Support

/// A line in memory, and how far it was read.
struct Line {
  let address: UInt
  let count: Int
  private var position = 0

  init(at address: UInt, count: Int) {
    self.address = address
    self.count = count
  }

  private func byte(_ index: Int) -> UInt8 { DeviceRegister(address + UInt(index)).read8() }

  /// The next word, or `nil` at the end.
  mutating func word() -> Word? {
    while position < count, byte(position) == 0x20 { position += 1 }
    let start = position
    while position < count, byte(position) != 0x20 { position += 1 }
    return start == position ? nil : Word(address: address + UInt(start), count: position - start)
  }

  /// The next word as a hexadecimal number, or `nil` where it is none or the line is at its end.
  mutating func number() -> UInt64? { word()?.number }

  /// What has not been read yet.
  var rest: Line { Line(at: address + UInt(position), count: count - position) }
}

/// A word of a line.
struct Word {
  let address: UInt
  let count: Int

  subscript(index: Int) -> UInt8 { DeviceRegister(address + UInt(index)).read8() }

  func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    for index in 0..<count where self[index] != text.byte(index) { return false }
    return true
  }

  /// A hexadecimal number of at most 16 digits, without 0x.
  var number: UInt64? {
    guard 1...16 ~= count else { return nil }
    var number: UInt64 = 0
    for index in 0..<count {
      guard let digit = digit(index) else { return nil }
      number = number << 4 | UInt64(digit)
    }
    return number
  }

  /// The byte of two hexadecimal digits from `index` on.
  func byte(at index: Int) -> UInt8? {
    guard index + 1 < count, let high = digit(index), let low = digit(index + 1) else { return nil }
    return high << 4 | low
  }

  private func digit(_ index: Int) -> UInt8? {
    switch self[index] {
    case let character where 0x30...0x39 ~= character: character - 0x30
    case let character where 0x61...0x66 ~= character: character - 0x61 + 10
    case let character where 0x41...0x46 ~= character: character - 0x41 + 10
    default: nil
    }
  }
}

/// An answer in memory. What goes over the end is dropped.
struct Answer {
  let address: UInt
  private(set) var count: Int

  init(at address: UInt, count: Int = 0) {
    self.address = address
    self.count = count
  }

  mutating func put(character: UInt8) {
    guard count < Memory.lineSize else { return }
    DeviceRegister(address + UInt(count)).write8(character)
    count += 1
  }

  mutating func put(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { put(character: text.byte(index)) }
  }

  /// A space and a number in hexadecimal.
  mutating func put(_ number: UInt64) {
    put(character: 0x20)
    var place = 60
    while place > 0, number >> UInt64(place) == 0 { place -= 4 }
    while place >= 0 {
      put(digit: UInt8(number >> UInt64(place) & 0xF))
      place -= 4
    }
  }

  /// Two digits.
  mutating func put(byte: UInt8) {
    put(digit: byte >> 4)
    put(digit: byte & 0xF)
  }

  private mutating func put(digit: UInt8) { put(character: digit < 10 ? 0x30 + digit : 0x61 + digit - 10) }
}

/// What the guest's scratch memory is used for.
enum Memory {
  /// How long a line or an answer may be, in bytes.
  static var lineSize: Int { 0x4000 }
  /// How many vCPUs take lines.
  static var processors: UInt64 { 8 }

  /// 64 bits for each interrupt: how often it came.
  static var interruptCounts: UInt { Scratch.address }
  /// One message of the queue.
  static var message: UInt { Scratch.address + 0x2000 }
  /// Messages of queues that the command lines name.
  static var outgoing: UInt { Scratch.address + 0x2400 }
  static var incoming: UInt { Scratch.address + 0x2800 }
  /// 64 bits for each vCPU: how long the line is that it was given, and its answer.
  static var lengths: UInt { Scratch.address + 0x3000 }

  static func line(of processor: UInt64) -> UInt { Scratch.address + 0x4000 + UInt(processor) * 0x8000 }
  static func answer(of processor: UInt64) -> UInt { line(of: processor) + UInt(lineSize) }
}
