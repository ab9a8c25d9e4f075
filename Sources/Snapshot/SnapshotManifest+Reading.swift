internal import PositionedJSON

/// What is wrong with a manifest, and where.
struct ManifestMistake: Error, Equatable {
  let what: String
}

extension SnapshotManifest {
  /// The longest manifest that is read, in bytes.
  static let limit = 1 << 20

  /// Why a text is no manifest of this format.
  package enum Refusal: Error, Equatable {
    /// The first mistake, with its place where that is known.
    case mistake(String)
    /// A manifest of another format, of which no more is known than its number.
    case version(UInt64)
  }

  /// Reads a manifest.
  ///
  /// - Throws: ``Refusal``, also for a text that is not as it was written.
  package init(text: [UInt8]) throws(Refusal) {
    do {
      try Self.check(text)
      let value = try JSONParser.parse(text, maximumDepth: 8, maximumSize: Self.limit)
      let root = try ManifestObject(value)
      let version = try root.number("format", UInt64.self)
      // Only this much is sure of other versions.
      guard version == Self.version else { throw Refusal.version(version) }
      self = try Self.read(root)
    } catch let error as Refusal {
      throw error
    } catch let error as ManifestMistake {
      throw .mistake(error.what)
    } catch let error as JSONError {
      throw .mistake("\(error.position): \(error.message)")
    } catch {
      throw .mistake("\(error)")
    }
  }

  /// Checks the text against the checksum at its end.
  private static func check(_ text: [UInt8]) throws {
    let before = Array(tail.before.utf8), behind = Array(tail.behind.utf8)
    let length = tailLength
    guard text.count > length, text.count <= limit else { throw ManifestMistake(what: "it is cut, or no manifest") }
    let end = text.suffix(length)
    let content = text[..<end.startIndex]
    guard end.starts(with: before), end.suffix(behind.count).elementsEqual(behind),
      let checksum = Hexadecimal.word(end.dropFirst(before.count).prefix(8))
    else { throw ManifestMistake(what: "it does not end with its checksum") }
    guard Checksum.of(content) == checksum else {
      throw ManifestMistake(what: "it was changed after it was written")
    }
  }

  private static func read(_ root: ManifestObject) throws -> SnapshotManifest {
    let machine = try root.object("machine")
    var manifest = SnapshotManifest(
      try root.identifier(),
      apusVersion: try root.text("apus"),
      created: try root.number("created", UInt64.self),
      machine: Machine(
        name: try machine.text("name"),
        uuid: try machine.textIfThere("uuid"),
        cpus: try machine.count("cpus"),
        gic: try machine.count("gic")
      ),
      try root.text("cpuModel"),
      try root.number("pauseNanoseconds", UInt64.self)
    )
    manifest.pageSize = try root.number("pageSize", UInt64.self)
    if root.has("base") {
      let base = try root.object("base")
      manifest.base = Base(path: try base.text("path"), identifier: try base.identifier())
      try base.end(["path", "identifier"])
    }
    manifest.memory = try root.list("memory") { memory in
      let read = Memory(
        name: try memory.text("name"),
        file: try memory.text("file"),
        start: try memory.number("start", UInt64.self),
        size: try memory.number("size", UInt64.self),
        stored: try memory.number("stored", UInt64.self),
        isChanges: try memory.boolean("changes")
      )
      try memory.end(["name", "file", "start", "size", "stored", "changes"])
      return read
    }
    manifest.disks = try root.list("disks") { disk in
      let read = Disk(
        device: try disk.text("device"),
        path: try disk.text("path"),
        size: try disk.number("size", UInt64.self),
        inode: try disk.number("inode", UInt64.self),
        changeTime: try disk.number("changeTime", Int64.self),
        checksum: try disk.textIfThere("checksum")
      )
      try disk.end(["device", "path", "size", "inode", "changeTime", "checksum"])
      return read
    }
    manifest.details = try root.object("details").members.map { member in
      Detail(member.key, try ManifestObject.text(member.value))
    }
    manifest.parts = try root.list("parts") { part in
      let checksum = try part.text("crc32c")
      guard let word = Hexadecimal.word(checksum.utf8) else { throw part.mistake("crc32c", "eight digits") }
      let read = Part(
        name: try part.text("name"),
        file: try part.text("file"),
        length: try part.number("length", UInt64.self),
        checksum: word
      )
      try part.end(["name", "file", "length", "crc32c"])
      return read
    }
    try machine.end(["name", "uuid", "cpus", "gic"])
    try root.end([
      "format", "identifier", "base", "apus", "created", "createdAt", "pauseNanoseconds", "cpuModel", "pageSize",
      "machine", "memory", "disks", "details", "parts", "crc32c",
    ])
    try manifest.checkShape()
    return manifest
  }

  /// Checks what its readers rely on.
  private func checkShape() throws {
    guard pageSize >= 4096, pageSize <= 1 << 20, pageSize & (pageSize - 1) == 0 else {
      throw ManifestMistake(what: "pages of \(pageSize) bytes, which no host has")
    }
    let files = parts.map(\.file) + memory.map(\.file)
    for file in files where !SnapshotFile.isName(file) || file == Self.file {
      throw ManifestMistake(what: "'\(file)' can't be a file of a snapshot")
    }
    if let file = Self.repeated(files) { throw ManifestMistake(what: "the file '\(file)' is there twice") }
    for memory in memory {
      let (end, isTooLarge) = memory.start.addingReportingOverflow(memory.size)
      guard memory.size > 0, !isTooLarge, memory.size <= 1 << 43, memory.size % pageSize == 0, end > memory.start,
        memory.start % pageSize == 0, memory.stored <= memory.size, memory.stored % pageSize == 0
      else { throw ManifestMistake(what: "memory '\(memory.name)' of a place or size that can't be") }
      guard !memory.isChanges || base != nil else {
        throw ManifestMistake(what: "memory '\(memory.name)' has changes to a snapshot that is not named")
      }
    }
    let places = memory.sorted { $0.start < $1.start }
    for (former, next) in zip(places, places.dropFirst()) where former.start + former.size > next.start {
      throw ManifestMistake(what: "memory '\(former.name)' and '\(next.name)' lie over each other")
    }
    if let name = Self.repeated(memory.map(\.name)) ?? Self.repeated(parts.map(\.name)) {
      throw ManifestMistake(what: "two parts of one name, '\(name)'")
    }
  }

  /// A text that is there twice.
  private static func repeated(_ texts: [String]) -> String? {
    let sorted = texts.sorted()
    for index in sorted.indices.dropFirst() where sorted[index] == sorted[index - 1] { return sorted[index] }
    return nil
  }
}

/// The names that files of a snapshot can have.
package enum SnapshotFile {
  /// A path of these parts, of which an empty first one stands for the root.
  static func path(of parts: [String]) -> String {
    // Not joined by the standard library: which text that gives is found out at run time, by a look through all types.
    var path = parts.first ?? ""
    for part in parts.dropFirst() {
      path += "/"
      path += part
    }
    return path
  }

  /// Whether a snapshot may have a file of that name: letters, digits, `-`, `_` and `.`, which is not the first.
  static func isName(_ name: String) -> Bool {
    guard (1...200).contains(name.utf8.count), name.utf8.first != 0x2E else { return false }
    return name.utf8.allSatisfy(isPlain)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
    default: false
    }
  }

  /// A file's name for something of any name: `window-NAME.memory`, say, in which other characters than those that can
  /// be become `_` and their bytes' digits.
  package static func name(_ kind: String, _ name: String, _ ending: String) -> String {
    var bytes: [UInt8] = Array("\(kind)-".utf8)
    // Half of what a name may have is left where each byte becomes three.
    for byte in name.utf8.prefix(50) {
      if isPlain(byte) && byte != 0x5F {
        bytes.append(byte)
      } else {
        bytes += [0x5F, Hexadecimal.digit(byte >> 4), Hexadecimal.digit(byte & 0xF)]
      }
    }
    // What is cut off tells names apart, too.
    if name.utf8.count > 50 { bytes += "-\(Hexadecimal.text(Checksum.of(Array(name.utf8))))".utf8 }
    return String(decoding: bytes, as: UTF8.self) + ".\(ending)"
  }
}

/// An object of the manifest, of which all that is there has to be known.
private struct ManifestObject {
  let members: [JSONValue.Member]
  private let position: JSONPosition

  init(_ value: JSONValue) throws {
    guard let members = value.members else {
      throw ManifestMistake(what: "\(value.position): an object is wanted, and this is \(value.kind)")
    }
    self.members = members
    position = value.position
  }

  func mistake(_ key: String, _ wanted: String) -> ManifestMistake {
    guard let value = value(key) else { return ManifestMistake(what: "\(position): \"\(key)\" is missing") }
    return ManifestMistake(what: "\(value.position): \"\(key)\" is to be \(wanted), and is \(value.summary)")
  }

  private func value(_ key: String) -> JSONValue? {
    for member in members where member.key == key { return member.value }
    return nil
  }

  func has(_ key: String) -> Bool { value(key) != nil }

  func number<Integer: FixedWidthInteger>(_ key: String, _ type: Integer.Type) throws -> Integer {
    guard let number = value(key)?.integer(type) else { throw mistake(key, "an integer") }
    return number
  }

  func count(_ key: String) throws -> Int {
    guard let number = value(key)?.integer(Int.self), number > 0 else { throw mistake(key, "an integer above 0") }
    return number
  }

  func text(_ key: String) throws -> String {
    guard let text = value(key)?.string else { throw mistake(key, "a string") }
    return text
  }

  static func text(_ value: JSONValue) throws -> String {
    guard let text = value.string else { throw ManifestMistake(what: "\(value.position): a string is wanted") }
    return text
  }

  func textIfThere(_ key: String) throws -> String? { has(key) ? try text(key) : nil }

  func boolean(_ key: String) throws -> Bool {
    guard let boolean = value(key)?.boolean else { throw mistake(key, "true or false") }
    return boolean
  }

  func identifier() throws -> SnapshotIdentifier {
    guard let identifier = SnapshotIdentifier(try text("identifier")) else { throw mistake("identifier", "32 digits") }
    return identifier
  }

  func object(_ key: String) throws -> ManifestObject {
    guard let value = value(key) else { throw mistake(key, "an object") }
    return try ManifestObject(value)
  }

  func list<Element>(_ key: String, _ read: (ManifestObject) throws -> Element) throws -> [Element] {
    guard let elements = value(key)?.array else { throw mistake(key, "an array") }
    return try elements.map { try read(ManifestObject($0)) }
  }

  /// Refuses what is there and not known: it may be what the rest depends on.
  func end(_ known: [String]) throws {
    for member in members where !known.contains(member.key) {
      throw ManifestMistake(what: "\(member.position): \"\(member.key)\" is not known")
    }
  }
}
