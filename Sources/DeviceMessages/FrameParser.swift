/// Who takes the frames of a ``FrameParser``.
package protocol FrameTaker: AnyObject {
  /// A frame with a chain's bytes begins; they follow. Where there are none, nothing follows.
  ///
  /// - Parameters:
  ///   - prefix: what stands before the bytes, as a little-endian number; 0 for ``MessageKind/more``.
  ///   - count: of the bytes that follow.
  /// - Throws: what is wrong with it; nothing else is taken then.
  func takeData(_ header: FrameHeader, prefix: UInt64, count: Int) throws(MessageFault)

  /// The next of them, in pieces as they arrive.
  ///
  /// - Throws: what is wrong with them; nothing else is taken then.
  func takeBytes(_ bytes: UnsafeRawBufferPointer) throws(MessageFault)

  /// Any other frame, whole.
  ///
  /// - Throws: what is wrong with it; nothing else is taken then.
  func takeFrame(_ header: FrameHeader, _ body: [UInt8]) throws(MessageFault)
}

/// Makes frames of bytes as they arrive, in pieces of any size. A frame's header is looked at before anything else of
/// it is kept; a chain's bytes are passed on and never kept.
package struct FrameParser {
  private enum Stage {
    case header
    case prefix(FrameHeader)
    case data(left: Int)
    case body(FrameHeader)
  }

  private var stage = Stage.header
  /// Of a header or a prefix: the bytes that are here.
  private var words: (UInt64, UInt64) = (0, 0)
  private var count = 0
  private var body: [UInt8] = []

  package init() {}

  /// Whether the first bytes of a frame are here and the rest is not.
  package var isAmidFrame: Bool {
    if case .header = stage { count > 0 } else { true }
  }

  /// - Throws: ``MessageFault``, the taker's included; the parser is of no use then.
  package mutating func take(_ bytes: UnsafeRawBufferPointer, into taker: some FrameTaker) throws(MessageFault) {
    var start = 0
    while start < bytes.count {
      switch stage {
      case .header:
        // SAFETY: the bytes hold for the call.
        guard unsafe fill(bytes, &start, upTo: MessageWire.headerSize) else { return }
        try begin(try FrameHeader((UInt64(littleEndian: words.0), UInt64(littleEndian: words.1))), taker)
      case .prefix(let header):
        // SAFETY: as above.
        guard unsafe fill(bytes, &start, upTo: 8) else { return }
        try beginData(header, prefix: UInt64(littleEndian: words.0), Int(header.length) - 8, taker)
      case .data(let left):
        let piece = min(left, bytes.count - start)
        stage = piece == left ? .header : .data(left: left - piece)
        // SAFETY: inside the buffer, which holds for the call.
        try unsafe taker.takeBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<start + piece]))
        start += piece
      case .body(let header):
        let piece = min(Int(header.length) - body.count, bytes.count - start)
        // SAFETY: as above.
        unsafe body.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<start + piece]))
        start += piece
        guard body.count == Int(header.length) else { return }
        stage = .header
        let whole = body
        body = []
        try taker.takeFrame(header, whole)
      }
    }
  }

  /// Fills the words. `false`: there are fewer bytes.
  private mutating func fill(_ bytes: UnsafeRawBufferPointer, _ start: inout Int, upTo size: Int) -> Bool {
    if count == 0 { words = (0, 0) }
    let piece = min(size - count, bytes.count - start)
    // SAFETY: two integers, whose bytes may be anything; the pieces are inside of both.
    unsafe withUnsafeMutableBytes(of: &words) { words in
      unsafe UnsafeMutableRawBufferPointer(rebasing: words[count..<count + piece])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + piece]))
    }
    count += piece
    start += piece
    guard count == size else { return false }
    count = 0
    return true
  }

  private mutating func begin(_ header: FrameHeader, _ taker: some FrameTaker) throws(MessageFault) {
    switch header.kind {
    case .chain, .complete: stage = .prefix(header)
    case .more: try beginData(header, prefix: 0, Int(header.length), taker)
    default:
      if header.length == 0 {
        stage = .header
        try taker.takeFrame(header, [])
      } else {
        stage = .body(header)
      }
    }
  }

  private mutating func beginData(
    _ header: FrameHeader,
    prefix: UInt64,
    _ count: Int,
    _ taker: some FrameTaker
  ) throws(MessageFault) {
    stage = count == 0 ? .header : .data(left: count)
    try taker.takeData(header, prefix: prefix, count: count)
  }
}
