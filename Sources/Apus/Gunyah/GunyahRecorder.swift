import Gunyah
import GunyahFile
import Host
import HostBackends
internal import Logging
internal import Synchronization

/// Writes down what the machines of a hypervisor call, and what they and the resource manager say to each other.
///
/// Nobody waits for the file or its reader. All members may be used from any thread.
final class GunyahRecorder: Sendable {
  private struct State {
    /// From the first run on.
    var file: TranscriptFile?
    /// Keeps what was made until a machine starts.
    var files: RunFiles?
    /// When the transcript began, in nanoseconds of the monotonic clock.
    var start: UInt64 = 0
    var sequence: UInt64 = 0
    /// How many machines run.
    var runs = 0
  }

  private let path: String
  private let state = Mutex(State())

  init(path: String) { self.path = path }

  /// A machine's run begins. The first one opens the file.
  ///
  /// - Parameters:
  ///   - manager: on whose thread losses are told.
  ///   - logger: hears of them.
  /// - Throws: where the file cannot be made or opened.
  func begin(_ manager: ManagerThread, _ logger: Logger) throws(OutputFileError) {
    try state.withLock { state throws(OutputFileError) in
      if state.file == nil {
        let files = RunFiles()
        state.file = try TranscriptFile(path: path, files: files, logger: logger) { [weak manager] say in
          manager?.post { _ in say() }
        }
        state.files = files
        state.start = HostClock.monotonic
      }
      state.runs += 1
    }
  }

  /// A machine starts: the file stays.
  func keep() {
    state.withLock { state in
      state.files?.keep()
      state.files = nil
    }
  }

  /// A machine's run has ended. The last one waits until the file has everything; another one may begin.
  ///
  /// - Parameters:
  ///   - deadline: until when, in nanoseconds of the monotonic clock.
  ///   - shouldStop: asked again and again whether nobody waits any longer.
  func end(by deadline: UInt64, shouldStop: () -> Bool) {
    let file = state.withLock { state in
      state.runs -= 1
      return state.runs == 0 ? state.file : nil
    }
    file?.flush(by: deadline, shouldStop: shouldStop)
  }

  /// Nothing is recorded any longer.
  func close() { state.withLock { $0.file }?.close() }

  /// A machine as it is written down.
  struct Machine: Sendable {
    let recorder: GunyahRecorder
    let name: String

    /// One that this one has made.
    func secondary(_ vmid: VMID) -> Machine { Machine(recorder: recorder, name: "\(name)/\(vmid.rawValue)") }

    /// Writes down what has just happened to it.
    func record(_ content: GunyahRecord.Content, of machine: VMID, vcpu: Int?) {
      recorder.state.withLock { state in
        guard let file = state.file else { return }
        let record = GunyahRecord(
          time: HostClock.monotonic - state.start,
          machine: machine.rawValue,
          vcpu: vcpu,
          content: content
        )
        // Under the lock: the file has the lines in the order of their numbers.
        file.append(json: GunyahLine(sequence: state.sequence, name: name, record: record).json)
        state.sequence += 1
      }
    }
  }
}

extension GunyahRecord.Message {
  /// A message as the manager knows it; nil for a fragment, which is none.
  init?(_ message: RPCMessage) {
    let kind: Kind
    switch message.kind {
    case .request: kind = .request
    case .reply: kind = .reply
    case .notification: kind = .notification
    case .continuation: return nil
    }
    self.init(
      direction: kind == .request ? .toManager : .fromManager,
      kind: kind,
      identifier: message.id.rawValue,
      sequence: message.sequence,
      payload: message.payload
    )
  }
}
