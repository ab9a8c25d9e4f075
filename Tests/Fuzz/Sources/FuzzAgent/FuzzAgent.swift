internal import AgentProtocol
internal import FuzzSupport

// What comes from the guest's agent, where 0xFE stands for the machine's key. It is the same in one piece and in pieces
// of the first byte's size; and whatever came before, an agent that begins behind it is heard.

private let key: [UInt8] = [0xFF, 1, 2, 3, 0xFF, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]

private func fuzzAgent(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  let bytes = input.bytes(count)
  guard let first = bytes.first else { return 0 }
  let said = bytes.dropFirst().flatMap { $0 == 0xFE ? key : [$0] }
  let frame = AgentFrame(stream: 1, kind: AgentFrame.Answer.exited.rawValue, payload: [0, 0, 0, 0])

  var whole = AgentDecoder(key: key)
  var events = whole.take(said)
  var parted = AgentDecoder(key: key)
  var others: [AgentDecoder.Event] = []
  let size = Int(first) + 1
  for start in stride(from: 0, to: said.count, by: size) {
    others += parted.take(said[start..<min(start + size, said.count)])
  }
  precondition(events == others, "pieces say something else than the whole")
  for case .frame(let frame) in events {
    precondition(frame.payload.count <= AgentFrame.payloadLimit, "a frame is larger than any")
  }
  events = whole.take(key + frame.bytes)
  precondition(Array(events.suffix(2)) == [.began, .frame(frame)], "an agent that begins is not heard")
  return 0
}

@main
private enum FuzzAgent {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzAgent)
  }
}
