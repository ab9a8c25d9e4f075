internal import Gunyah
internal import GunyahFile

/// Reads bytes as a transcript, and makes a transcript of them, which has to read back.
public enum ExerciseTranscript {
  /// - Parameter bytes: what a file has, and what records are made of.
  public static func run(_ bytes: [UInt8]) {
    do throws(GunyahLineError) {
      check(try GunyahLine.lines(bytes))
    } catch {
      precondition(error.line > 0 && !error.message.isEmpty, "a refusal has a place and a reason")
    }
    var input = InputBytes(bytes)
    var lines: [GunyahLine] = []
    while !input.isAtEnd { lines.append(line(&input)) }
    check(lines)
  }

  /// Text and picture are made of all; the JSON is the same again.
  private static func check(_ lines: [GunyahLine]) {
    let text = lines.map(\.json).joined(separator: "\n")
    guard let again = try? GunyahLine.lines(Array(text.utf8)) else { preconditionFailure("a transcript reads back") }
    precondition(again == lines, "a transcript says the same when it is read")
    precondition(GunyahLine.text(lines).count >= lines.count, "each line is told")
    for width in [0, 40, 72, 400] {
      precondition(!GunyahPicture.lines(lines, width: width).isEmpty, "a picture has a heading")
    }
  }

  private static func line(_ input: inout InputBytes) -> GunyahLine {
    let content: GunyahRecord.Content = input.byte() % 2 == 0 ? .call(call(&input)) : .message(message(&input))
    let record = GunyahRecord(
      time: input.number(),
      machine: UInt16(truncatingIfNeeded: input.number()),
      vcpu: input.byte() % 2 == 0 ? Int(input.byte()) : nil,
      content: content
    )
    let name = "a" + String(decoding: bytes(&input, 7), as: UTF8.self)
    return GunyahLine(sequence: input.number(), name: name, record: record)
  }

  private static func call(_ input: inout InputBytes) -> GunyahRecord.Call {
    let kind = input.byte()
    let number: UInt64
    switch kind % 4 {
    case 0: number = input.number()
    case 1: number = UInt64(CallNumber.firstService) + 1
    default:
      number =
        UInt64(CallNumber.firstHypercall)
        + UInt64(Hypercall.allCases[Int(kind) / 4 % Hypercall.allCases.count].rawValue)
    }
    return GunyahRecord.Call(
      number: number,
      arguments: (0..<input.byte() % 5).map { _ in input.number() },
      result: Int64(bitPattern: input.number()),
      outputs: (0..<input.byte() % 5).map { _ in input.number() },
      bytes: input.byte() % 2 == 0 ? bytes(&input, 40) : nil,
      peer: input.byte() % 2 == 0 ? UInt16(input.byte()) : nil
    )
  }

  private static let identifiers: [MessageID] = [
    .allocate, .getState, .getResources, .lend, .accept, .notify, .machineStatus, .parcelShared, .machineExited,
    .configureImage, MessageID(rawValue: 7),
  ]

  private static func message(_ input: inout InputBytes) -> GunyahRecord.Message {
    let kinds = GunyahRecord.Message.Kind.allCases
    let directions = GunyahRecord.Message.Direction.allCases
    return GunyahRecord.Message(
      direction: directions[Int(input.byte()) % directions.count],
      kind: kinds[Int(input.byte()) % kinds.count],
      identifier: identifiers[Int(input.byte()) % identifiers.count].rawValue,
      sequence: UInt16(truncatingIfNeeded: input.number()),
      payload: bytes(&input, 120)
    )
  }

  private static func bytes(_ input: inout InputBytes, _ limit: UInt8) -> [UInt8] {
    (0..<input.byte() % (limit + 1)).map { _ in input.byte() }
  }

  /// A call and a message as a file has them, one with a mistake, and bytes of which records are made.
  public static var seeds: [[UInt8]] {
    let call = """
      {"sequence":0,"time":1,"machine":"a","vmid":3,"vcpu":0,"kind":"call","number":"0xc600801b",\
      "arguments":["0x1","0x2","0x3","0x0"],"result":"0x0","outputs":["0x1"],"peer":255,"bytes":"00ff"}
      """
    let message = """
      {"sequence":1,"time":2,"machine":"a","vmid":3,"kind":"reply","direction":"from-manager","id":"0x56000001",\
      "token":1,"raw":"0000000080000000"}
      """
    let mistaken = #"{"sequence":2,"time":3,"machine":"a","vmid":3,"kind":"call","number":7}"#
    let texts = [call, message, call + "\n\n" + message + "\n", message + "\n" + mistaken]
    return texts.map { Array($0.utf8) } + [Array(0...255)]
  }
}
