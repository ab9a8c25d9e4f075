/// One debugger's session: gdb's remote serial protocol as a state machine, bytes in and bytes out.
///
/// The first packet stops the machine, and each further one waits until it is stopped. What has come meanwhile is kept
/// within ``backlogLimit``. Nobody can make it answer more than one packet of ``PacketReader/limit`` bytes and its
/// frame to each of his own, but for the text of a `monitor` command, which is the target's to bound.
///
/// - Note: it belongs to one thread, which gives it what came, takes ``takeOutput()``, and looks at ``end``.
public struct DebugSession<Target: DebugTarget> {
  /// How much a debugger may send ahead while the machine runs, in bytes of text.
  public static var backlogLimit: Int { 4 * PacketReader.limit }

  let target: Target
  private var reader = PacketReader()
  private var output: [UInt8] = []
  private var lastPacket: [UInt8] = []
  private var acknowledges = true
  private var backlog: [[UInt8]] = []
  private var state = State.new

  /// Why the session is over, once it is.
  public private(set) var end: End?

  // What the debugger has chosen.
  var generalThread = 0
  var resumeThread: Int?
  var knowsSoftwareStops = false
  var knowsHardwareStops = false
  var lastStop = StopEvent(thread: 0, reason: .interrupt)

  private enum State {
    /// Nothing has come yet: the machine does as before.
    case new
    /// The machine runs or is about to stop; `owesReply`: the debugger waits to hear of it.
    case running(owesReply: Bool)
    case stopped
  }

  /// How a session ends.
  public enum End: Equatable, Sendable {
    /// The debugger has taken its leave: the machine goes on.
    case detached
    /// The debugger wants the machine's end.
    case killed
    /// The debugger has sent more than it may.
    case flooded
    /// The machine has ended, and the debugger was told.
    case machineEnded
  }

  /// How a machine ended.
  public enum MachineEnd: Equatable, Sendable {
    /// By itself, with this exit status.
    case exited(UInt8)
    /// From outside, with the number of a signal.
    case killed(UInt8)
  }

  /// A session with a debugger that has just connected.
  public init(target: Target) {
    self.target = target
  }

  /// What is to be sent now. It is given out once.
  public mutating func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  /// Takes what came from the debugger.
  public mutating func receive(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      guard end == nil else { return }
      guard let event = reader.next(byte) else { continue }
      switch event {
      case .packet(let text): take(text)
      case .unusable: take(nil)
      case .damaged: if acknowledges { output.append(UInt8(ascii: "-")) }
      case .refused: if acknowledges { output += lastPacket }
      case .acknowledged: break
      case .interrupt: if case .running(true) = state { target.stop() }
      }
    }
  }

  /// All vCPUs have stopped.
  public mutating func machineStopped(_ event: StopEvent) {
    guard case .running(let owesReply) = state, end == nil else { return }
    lastStop = event
    generalThread = event.thread
    state = .stopped
    if owesReply { reply(stopReply(event)) }
    let waiting = backlog
    backlog = []
    for text in waiting where end == nil { handle(text) }
  }

  /// The machine has ended.
  public mutating func machineEnded(_ how: MachineEnd) {
    if case .running(true) = state, end == nil {
      var text: [UInt8]
      switch how {
      case .exited(let status):
        text = [UInt8(ascii: "W")]
        Hexadecimal.append([status], to: &text)
      case .killed(let signal):
        text = [UInt8(ascii: "X")]
        Hexadecimal.append([signal], to: &text)
      }
      reply(text)
    }
    end = end ?? .machineEnded
  }

  private mutating func take(_ text: [UInt8]?) {
    if acknowledges { output.append(UInt8(ascii: "+")) }
    // Too long to be looked at; an answer keeps the debugger from waiting for one.
    guard let text else { return reply(DebugFailure.invalid.text) }
    handle(text)
  }

  private mutating func handle(_ text: [UInt8]) {
    switch state {
    case .stopped: answer(text)
    case .running: keep(text)
    case .new:
      state = .running(owesReply: false)
      keep(text)
      target.stop()
    }
  }

  private mutating func keep(_ text: [UInt8]) {
    backlog.append(text)
    // An empty packet takes room, too.
    if backlog.reduce(0, { $0 + $1.count + 16 }) > Self.backlogLimit { end = .flooded }
  }

  mutating func reply(_ text: some Sequence<UInt8>) {
    lastPacket = PacketWriter.packet(text)
    output += lastPacket
  }

  /// From now on nothing is acknowledged.
  mutating func stopAcknowledging() {
    acknowledges = false
  }

  /// Lets the machine go on; the next stop is told.
  mutating func resume(_ actions: [DebugAction]) {
    state = .running(owesReply: true)
    target.resume(actions)
  }

  mutating func finish(_ end: End) {
    self.end = end
  }
}

/// Why a packet gets `E` and two digits. The numbers are those of Linux's errors, in decimal as stubs write them.
enum DebugFailure {
  /// EFAULT: there is no memory at the address.
  case unmapped
  /// EINVAL: what the packet says makes no sense, or names nothing that exists.
  case invalid
  /// ENOSPC: there are as many breakpoints as there can be.
  case full

  var text: [UInt8] {
    switch self {
    case .unmapped: Array("E14".utf8)
    case .invalid: Array("E22".utf8)
    case .full: Array("E28".utf8)
    }
  }
}
