internal import Host

extension SnapshotManifest {
  /// What the text ends with, between which the checksum of all that is before stands in eight digits.
  static let tail = (before: ",\n  \"crc32c\": \"", behind: "\"\n}\n")

  /// How long that is, in bytes.
  package static let tailLength = tail.before.utf8.count + 8 + tail.behind.utf8.count

  /// The manifest as JSON that people can read, with a checksum of itself at its end.
  package var text: [UInt8] {
    var text = ManifestText()
    text.open("{")
    text.member("format", number: Self.version)
    text.member("identifier", text: identifier.description)
    if let base {
      text.key("base")
      text.open("{")
      text.member("path", text: base.path)
      text.member("identifier", text: base.identifier.description)
      text.close("}")
    }
    text.member("apus", text: apusVersion)
    text.member("created", number: created)
    text.member("createdAt", text: CalendarTime.text(created))
    text.member("pauseNanoseconds", number: pause)
    text.member("cpuModel", text: model)
    text.member("pageSize", number: pageSize)
    text.key("machine")
    text.open("{")
    text.member("name", text: machine.name)
    if let uuid = machine.uuid { text.member("uuid", text: uuid) }
    text.member("cpus", number: UInt64(machine.cpus))
    text.member("gic", number: UInt64(machine.gic))
    text.close("}")
    text.list("memory", memory) { text, memory in
      text.member("name", text: memory.name)
      text.member("file", text: memory.file)
      text.member("start", number: memory.start)
      text.member("size", number: memory.size)
      text.member("stored", number: memory.stored)
      text.member("changes", boolean: memory.isChanges)
    }
    text.list("disks", disks) { text, disk in
      text.member("device", text: disk.device)
      text.member("path", text: disk.path)
      text.member("size", number: disk.size)
      text.member("inode", number: disk.inode)
      text.member("changeTime", number: disk.changeTime)
      if let checksum = disk.checksum { text.member("checksum", text: checksum) }
    }
    text.key("details")
    text.open("{")
    for detail in details { text.member(detail.name, text: detail.value) }
    text.close("}")
    text.list("parts", parts) { text, part in
      text.member("name", text: part.name)
      text.member("file", text: part.file)
      text.member("length", number: part.length)
      text.member("crc32c", text: Hexadecimal.text(part.checksum))
    }
    return Self.sealed(text.bytes)
  }

  /// A manifest's text up to its last member but one, with its end.
  package static func sealed(_ text: [UInt8]) -> [UInt8] {
    let checksum = Hexadecimal.text(Checksum.of(text))
    return text + Array("\(Self.tail.before)\(checksum)\(Self.tail.behind)".utf8)
  }
}

/// JSON with a line for each member.
struct ManifestText {
  private(set) var bytes: [UInt8] = []
  private var depth = 0
  private var isFirst = true

  mutating func open(_ bracket: Unicode.Scalar) {
    bytes.append(UInt8(ascii: bracket))
    depth += 1
    isFirst = true
  }

  mutating func close(_ bracket: Unicode.Scalar) {
    depth -= 1
    if !isFirst { newLine() }
    bytes.append(UInt8(ascii: bracket))
    isFirst = false
  }

  private mutating func newLine() {
    bytes.append(0x0A)
    for _ in 0..<2 * depth { bytes.append(0x20) }
  }

  private mutating func next() {
    if !isFirst { bytes.append(0x2C) }
    isFirst = false
    newLine()
  }

  mutating func key(_ name: String) {
    next()
    string(name)
    bytes += [0x3A, 0x20]
  }

  mutating func member(_ name: String, text: String) {
    key(name)
    string(text)
  }

  mutating func member(_ name: String, number: some FixedWidthInteger) {
    key(name)
    bytes += String(number).utf8
  }

  mutating func member(_ name: String, boolean: Bool) {
    key(name)
    bytes += (boolean ? "true" : "false").utf8
  }

  mutating func list<Element>(_ name: String, _ elements: [Element], _ put: (inout ManifestText, Element) -> Void) {
    key(name)
    open("[")
    for element in elements {
      next()
      open("{")
      put(&self, element)
      close("}")
    }
    close("]")
  }

  /// What a terminal would act upon, or nobody has a glyph for, is escaped.
  private mutating func string(_ text: String) {
    bytes.append(0x22)
    defer { bytes.append(0x22) }
    // Most texts are such, and nobody has to look at their characters as Unicode has them.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) {
      bytes.append(contentsOf: text.utf8)
      return
    }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": bytes += [0x5C, UInt8(ascii: scalar)]
      case _ where String.isPlain(scalar): bytes += UTF8.encode(scalar) ?? .init()
      default:
        for unit in UTF16.encode(scalar) ?? .init() {
          bytes += [0x5C, 0x75]
          for shift in [12, 8, 4, 0] as [UInt16] {
            bytes.append(Hexadecimal.digit(UInt8(truncatingIfNeeded: unit >> shift & 0xF)))
          }
        }
      }
    }
  }
}

/// A time as people write it.
enum CalendarTime {
  /// The time in UTC, such as `2026-11-30T08:15:00Z` (ISO 8601).
  ///
  /// - Parameter seconds: since 1970.
  static func text(_ seconds: UInt64) -> String {
    let (year, month, day) = date(days: seconds / 86_400)
    let second = seconds % 86_400
    return "\(year)-\(two(month))-\(two(day))T\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
  }

  private static func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// The day of the Gregorian calendar, of which 400 years have 146097 days. Years begin in March here, so that a leap
  /// day is a year's last.
  private static func date(days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let isNextYear = month >= 10
    return (yearOfEra + era * 400 + (isNextYear ? 1 : 0), isNextYear ? month - 9 : month + 3, day)
  }
}
