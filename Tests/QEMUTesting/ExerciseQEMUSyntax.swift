internal import QEMUSyntax

/// Gives any bytes to the readers of QEMU's command line and of its machine protocol, and checks what they promise.
public enum ExerciseQEMUSyntax {
  /// - Parameter bytes: the first one says how they come: as a command line, a word to each line, or as what a client
  ///   sends, in pieces of so many bytes.
  public static func run(_ bytes: some Collection<UInt8>) {
    guard let first = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    if first & 1 == 0 {
      words(rest)
    } else {
      requests(rest, pieceSize: Int(first >> 1) + 1)
    }
  }

  private static func words(_ bytes: [UInt8]) {
    let words = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
    guard
      let options = try? QEMUWords.options(words, hasValue: { $0.utf8.count % 3 == 0 ? nil : $0.utf8.count % 3 == 1 })
    else { return }
    for option in options {
      guard let value = option.value, var fields = try? QEMUFields(value, of: option.name, implied: "first") else {
        continue
      }
      // Written again as it would be given, it is the same.
      let text = fields.fields.map { "\(escaped($0.name))=\(escaped($0.value))" }.joined(separator: ",")
      let again = try? QEMUFields(text, of: option.name)
      let isSame = again?.fields == fields.fields || fields.fields.contains { $0.name.isEmpty || $0.name.contains("=") }
      precondition(isSame || text.utf8.count > QEMUFields.maximumSize, "what is written is read: \(text)")
      while let field = fields.fields.first {
        let count = fields.fields.count
        _ = fields.takeAll(field.name)
        precondition(fields.fields.count < count, "what is taken has gone")
      }
    }
  }

  private static func escaped(_ text: String) -> String {
    String(decoding: text.utf8.flatMap { $0 == UInt8(ascii: ",") ? [$0, $0] : [$0] }, as: UTF8.self)
  }

  private static func requests(_ bytes: [UInt8], pieceSize: Int) {
    var reader = QMPReader()
    var place = 0
    var count = 0
    while place < bytes.count {
      let end = min(bytes.count, place + pieceSize)
      reader.append(bytes[place..<end])
      place = end
      while let next = reader.next() {
        count += 1
        precondition(count <= bytes.count, "each answer is for bytes of its own")
        guard case .success(let request) = next else { continue }
        let answer = QMPMessage.success(.object([.init(request.command, .nothing)]), to: request.identifier).text
        precondition(!answer.utf8.contains { $0 < 0x20 }, "an answer is one line")
        var echo = QMPReader()
        echo.append(Array(answer.utf8))
        // It is no request, and nothing but one object.
        precondition(echo.next() != nil && echo.next() == nil, "an answer is one object")
      }
    }
  }

  /// What programs give, and what is none.
  public static var seeds: [[UInt8]] {
    let lines = [
      "-M\nvirt,gic-version=3", "-drive\nif=virtio,format=raw,file=/tmp/a,,b.img", "--append\n-quiet a=b",
      "-chardev\nsocket,id=s,path=/tmp/s,server=on,wait=off\n-serial\nchardev:s",
    ]
    let requests = [
      "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"cont\", \"arguments\": {}, \"id\": [1, \"a\"]}",
      "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"hostfwd_add tcp::1-:2\"}}",
      "hello\n{\"execute\":\"x\\u00e4\\\"}\"}{]\n}",
    ]
    return lines.map { [0] + Array($0.utf8) } + requests.flatMap { [[1] + Array($0.utf8), [65] + Array($0.utf8)] }
  }
}
