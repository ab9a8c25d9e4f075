internal import Glibc
internal import Host

/// What a file's first bytes say of whether and how a guest can run it.
enum Executable {
  /// Whether it is a program that a guest can run alone: ELF64 for arm64, of either kind, without an interpreter.
  static func isStatic(_ bytes: [UInt8]) -> Bool {
    guard isForGuests(bytes), let headers = headers(bytes) else { return false }
    return !headers.contains { $0.kind == Header.interpreter }
  }

  /// Why the guest's kernel does not run a file that is there, with what to do about it.
  ///
  /// - Parameters:
  ///   - errno: what execve(2) failed with in the guest.
  ///   - bytes: the file's; nil where nobody knows them any more.
  static func refusal(_ errno: Int32, _ bytes: [UInt8]?) -> String {
    guard let bytes else { return errorText(errno) }
    switch errno {
    case ENOENT:
      guard let interpreter = interpreter(bytes) else { return errorText(errno) }
      if interpreter.utf8.last == 0x0D {
        return
          "its first line ends with a carriage return, which the kernel takes for a part of the interpreter's name; "
          + "give it line feeds alone (dos2unix)"
      }
      return "it wants '\(interpreter)', which the guest does not have; give an initramfs that has it"
        + (isForGuests(bytes) ? ", or link the program statically" : "")
    case ENOEXEC:
      if bytes.isEmpty { return "it is empty" }
      if bytes.starts(with: magic) { return "it is no program for arm64, which the guest is" }
      return "it is neither a program for arm64 nor a script, which begins with #! and its interpreter: #!/bin/sh"
    default: return errorText(errno)
    }
  }

  /// What has to be there for the kernel to run a file: a script's interpreter, or a program's loader.
  static func interpreter(_ bytes: [UInt8]) -> String? {
    if bytes.starts(with: "#!".utf8) {
      // As much as the kernel looks at (BINPRM_BUF_SIZE).
      let line = bytes.prefix(256).dropFirst(2).prefix { $0 != 0x0A }
      let word = line.drop { $0 == 0x20 || $0 == 0x09 }.prefix { $0 != 0x20 && $0 != 0x09 }
      return String(decoding: word, as: UTF8.self)
    }
    guard isForGuests(bytes), let header = headers(bytes)?.first(where: { $0.kind == Header.interpreter }),
      let size = number(bytes, header.place + 32, 8), let start = number(bytes, header.place + 8, 8),
      start <= bytes.count, size <= 4096
    else { return nil }
    return String(decoding: bytes[start...].prefix(size).prefix { $0 != 0 }, as: UTF8.self)
  }

  // MARK: ELF

  private struct Header {
    let kind: Int
    let place: Int

    /// PT_INTERP
    static let interpreter = 3
  }

  private static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]

  /// ELF64, little-endian, for arm64 (EM_AARCH64).
  private static func isForGuests(_ bytes: [UInt8]) -> Bool {
    bytes.starts(with: magic + [2, 1]) && number(bytes, 18, 2) == 183
  }

  /// The program headers, or nil where they are not all there.
  private static func headers(_ bytes: [UInt8]) -> [Header]? {
    guard let table = number(bytes, 32, 8), let size = number(bytes, 54, 2), let count = number(bytes, 56, 2),
      size >= 56
    else { return nil }
    var headers: [Header] = []
    for index in 0..<count {
      let (place, overflow) = table.addingReportingOverflow(index * size)
      guard !overflow, let kind = number(bytes, place, 4), number(bytes, place + 48, 8) != nil else { return nil }
      headers.append(Header(kind: kind, place: place))
    }
    return headers
  }

  private static func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> Int? {
    guard offset >= 0, size <= bytes.count, offset <= bytes.count - size else { return nil }
    return bytes[offset..<offset + size].reversed().reduce(0) { ($0 & 0x7F_FFFF_FFFF_FFFF) << 8 | Int($1) }
  }
}
