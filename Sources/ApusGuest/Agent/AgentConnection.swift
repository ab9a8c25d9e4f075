internal import AgentProtocol
internal import CHost
internal import Glibc
internal import Host
internal import Synchronization

/// The host's side of the way to a guest's agent, with a thread of its own: whoever asks for something never waits for
/// the guest.
///
/// May be used from any thread. It ends with ``close()``, or when the machine has.
final class AgentConnection: Sendable {
  /// What a request comes to: ends with one of the last four.
  enum Event: Equatable, Sendable {
    /// The program runs, or the file is open.
    case started(process: UInt32)
    /// It wrote this, or the file holds it.
    case output([UInt8])
    /// It wrote this to its error output.
    case errorOutput([UInt8])
    /// It ended by itself; 0 for what is no program and was done.
    case exited(status: Int32)
    /// A signal ended it.
    case killed(signal: Int32)
    /// The guest's kernel refused what was asked for.
    case failed(errno: Int32, at: Step = .program)
    /// Nobody knows what became of it: the agent has gone.
    case lost(Loss)

    /// Whether nothing comes behind it.
    var isLast: Bool {
      switch self {
      case .started, .output, .errorOutput: false
      case .exited, .killed, .failed, .lost: true
      }
    }
  }

  /// What of a request was refused; of all but a program's start there is one thing only.
  enum Step: UInt32, Sendable {
    case program = 0
    case folder = 1
    case root = 2
  }

  /// Why nothing is known of a request.
  enum Loss: Equatable, Sendable {
    /// The machine has ended, or closed the way.
    case ended
    /// Another agent has begun: the one before was killed, or the guest was reset.
    case startedAnew
    /// What came was not an agent's.
    case nonsense
  }

  typealias Listener = @Sendable (Event) -> Void

  /// All on the thread.
  private final class Core {
    let loop: EventLoop
    let socket: OwnedDescriptor
    let key: [UInt8]
    var decoder: AgentDecoder
    var isReady: Bool
    var hasEnded = false
    /// Requests that wait for the agent.
    var early: [AgentFrame] = []
    var streams: [UInt32: Stream] = [:]
    var outgoing: ArraySlice<UInt8> = []
    var wantsRoom = false

    struct Stream {
      let listener: Listener
      var credit = AgentFrame.inputWindow
      var input: ArraySlice<UInt8> = []
      var ends = false
      var hasEnded = false
      /// Whoever waits until there is room for more input.
      var waiters: [@Sendable () -> Void] = []
    }

    init(_ socket: consuming OwnedDescriptor, key: [UInt8], goesOn: Bool) throws(HostError) {
      loop = try EventLoop()
      self.socket = socket
      self.key = key
      isReady = goesOn
      decoder = AgentDecoder(key: key, goesOn: goesOn)
    }
  }

  /// - SAFETY: @unchecked: made by one thread and handed to the one that runs it.
  private final class Box: @unchecked Sendable {
    let core: Core

    init(_ core: Core) {
      self.core = core
    }
  }

  private let box: Box
  private let work: PostedWork
  private let nextStream: Atomic<UInt32>
  /// What tells the agent's words from everybody else's.
  let key: [UInt8]

  /// Where the streams of a connection begin that goes on: none of the earlier one's is among the next ones.
  private static let laterStreams: UInt32 = 1 << 30

  /// Begins to serve one end of a stream socket, whose other one leads to the agent.
  ///
  /// - Parameters:
  ///   - socket: is closed at the end.
  ///   - key: the machine's, which its agent has too.
  ///   - goesOn: whether the agent has begun before, with a machine that this one goes on from.
  /// - Throws: where the host gives no descriptor or thread.
  init(_ socket: consuming OwnedDescriptor, key: [UInt8], goesOn: Bool = false) throws(HostError) {
    let core = try Core(socket, key: key, goesOn: goesOn)
    self.key = key
    nextStream = Atomic(goesOn ? Self.laterStreams : 1)
    box = Box(core)
    work = try PostedWork(core.loop)
    _ = try core.loop.add(core.socket.rawValue, EventLoop.readable, ClosureHandler { Self.ready(core, $0) })
    let (box, work) = (box, work)
    try HostThread.startDetached(name: "apus-agent") {
      try? box.core.loop.run()
      box.core.loop.removeAll()
      work.forget()
    }
  }

  /// Ends the thread; what is under way is lost.
  func close() {
    post { core in
      Self.end(core)
      core.loop.stop()
    }
  }

  deinit { close() }

  private func post(_ body: @escaping @Sendable (Core) -> Void) {
    let box = box
    work.post { body(box.core) }
  }

  /// Asks for something, once the agent is there.
  ///
  /// - Parameter listener: is called on the connection's thread, and must not wait.
  /// - Returns: the stream, for what is sent along.
  func begin(_ request: AgentFrame.Request, _ payload: [UInt8], _ listener: @escaping Listener) -> UInt32 {
    let stream = nextStream.wrappingAdd(1, ordering: .relaxed).oldValue
    post { core in
      guard !core.hasEnded else { return listener(.lost(.ended)) }
      guard payload.count <= AgentFrame.requestLimit else { return listener(.failed(errno: E2BIG)) }
      core.streams[stream] = Core.Stream(listener: listener)
      let frame = AgentFrame(request, stream: stream, payload)
      if core.isReady { Self.send(core, frame) } else { core.early.append(frame) }
    }
    return stream
  }

  /// Sends input of a program or a file's contents, as fast as the guest takes it.
  func send(_ bytes: [UInt8], to stream: UInt32, ends: Bool) {
    post { core in
      core.streams[stream]?.input.append(contentsOf: bytes)
      if ends { core.streams[stream]?.ends = true }
      Self.feed(core, stream)
    }
  }

  /// Sends input and calls back when most of it is on its way, or nobody wants it any more: for who has more of it than
  /// should wait here.
  func send(_ bytes: [UInt8], to stream: UInt32, taken: @escaping @Sendable () -> Void) {
    post { core in
      guard core.streams[stream] != nil else { return taken() }
      core.streams[stream]?.input.append(contentsOf: bytes)
      core.streams[stream]?.waiters.append(taken)
      Self.feed(core, stream)
    }
  }

  /// Sends a program a signal.
  func signal(_ number: Int32, to stream: UInt32) {
    post { core in
      guard core.streams[stream] != nil, core.isReady else { return }
      Self.send(core, AgentFrame(.signal, stream: stream, AgentFrame.bytes(of: UInt32(bitPattern: number))))
    }
  }

  // MARK: On the thread

  private static func ready(_ core: Core, _ events: UInt32) {
    if events & EPOLLOUT.rawValue != 0 { flush(core) }
    guard events & (EPOLLIN.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 else { return }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    // SAFETY: the buffer holds for the call and its size goes along.
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return Int64(0) }
      return unsafe chost_channel_read(core.socket.rawValue, true, base, bytes.count)
    }
    if count > 0 {
      for event in core.decoder.take(buffer[..<Int(count)]) { take(core, event) }
    } else if count != -Int64(EAGAIN) {
      end(core)
    }
  }

  private static func take(_ core: Core, _ event: AgentDecoder.Event) {
    switch event {
    case .began:
      lose(core, .startedAnew)
      core.isReady = false
      core.outgoing = []
    case .nonsense:
      lose(core, .nonsense)
      core.isReady = false
    case .frame(let frame):
      guard let answer = AgentFrame.Answer(rawValue: frame.kind) else { return }
      if answer == .hello {
        guard !core.isReady, frame.number == AgentFrame.version else { return }
        core.isReady = true
        core.outgoing.append(contentsOf: core.key)
        for frame in core.early where core.streams[frame.stream] != nil { append(core, frame) }
        core.early = []
        flush(core)
        for stream in core.streams.keys { feed(core, stream) }
      } else {
        self.answer(core, answer, frame)
      }
    }
  }

  private static func answer(_ core: Core, _ answer: AgentFrame.Answer, _ frame: AgentFrame) {
    guard let stream = core.streams[frame.stream] else { return }
    let number = frame.number ?? 0
    let event: Event
    switch answer {
    case .started: event = .started(process: number)
    case .output: event = .output(frame.payload)
    case .errorOutput: event = .errorOutput(frame.payload)
    case .exited: event = .exited(status: Int32(bitPattern: number))
    case .killed: event = .killed(signal: Int32(bitPattern: number))
    case .failed: event = .failed(errno: Int32(number & 0xFFFF), at: Step(rawValue: number >> 16) ?? .program)
    case .consumed:
      core.streams[frame.stream]?.credit += Int(min(number, UInt32(AgentFrame.inputWindow)))
      return feed(core, frame.stream)
    case .hello: return
    }
    if event.isLast {
      core.streams[frame.stream] = nil
      for waiter in stream.waiters { waiter() }
    }
    stream.listener(event)
  }

  private static func feed(_ core: Core, _ number: UInt32) {
    guard core.isReady, var stream = core.streams[number] else { return }
    while stream.credit > 0, !stream.input.isEmpty {
      let piece = stream.input.prefix(min(stream.credit, AgentFrame.payloadLimit))
      stream.input = stream.input.dropFirst(piece.count)
      stream.credit -= piece.count
      append(core, AgentFrame(.input, stream: number, Array(piece)))
    }
    if stream.ends, !stream.hasEnded, stream.input.isEmpty {
      stream.hasEnded = true
      append(core, AgentFrame(.inputEnd, stream: number))
    }
    let waiters = stream.input.count <= AgentFrame.inputWindow ? stream.waiters : []
    if !waiters.isEmpty { stream.waiters = [] }
    core.streams[number] = stream
    flush(core)
    for waiter in waiters { waiter() }
  }

  private static func append(_ core: Core, _ frame: AgentFrame) {
    core.outgoing.append(contentsOf: frame.bytes)
  }

  private static func send(_ core: Core, _ frame: AgentFrame) {
    append(core, frame)
    flush(core)
  }

  private static func flush(_ core: Core) {
    while !core.outgoing.isEmpty, !core.hasEnded {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe core.outgoing.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return 0 }
        return unsafe Int(chost_output_write(core.socket.rawValue, true, base, bytes.count))
      }
      if count == -Int(EAGAIN) { break }
      guard count > 0 else { return end(core) }
      core.outgoing = core.outgoing.dropFirst(count)
    }
    let wantsRoom = !core.outgoing.isEmpty && !core.hasEnded
    guard wantsRoom != core.wantsRoom else { return }
    core.wantsRoom = wantsRoom
    core.loop.change(core.socket.rawValue, EventLoop.readable | (wantsRoom ? EPOLLOUT.rawValue : 0))
  }

  private static func lose(_ core: Core, _ loss: Loss) {
    guard core.isReady || loss == .ended else { return }
    let streams = core.streams
    core.streams = [:]
    for stream in streams.values {
      for waiter in stream.waiters { waiter() }
      stream.listener(.lost(loss))
    }
  }

  private static func end(_ core: Core) {
    guard !core.hasEnded else { return }
    core.hasEnded = true
    core.isReady = false
    core.loop.remove(core.socket.rawValue)
    lose(core, .ended)
    core.early = []
  }
}
