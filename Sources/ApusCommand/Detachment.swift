internal import CHost
import Glibc
import Host
import Synchronization

/// A machine in the background (`--detach`): who called waits until its guest has begun, and no longer.
final class Detachment: Sendable {
  /// Leads to the waiting parent until the guest has begun.
  private let channel: Atomic<Int32>

  private init(_ channel: Int32) {
    self.channel = Atomic(channel)
  }

  /// Goes on in a process of its own. The caller's waits, prints the machine's name when its guest has begun, and ends
  /// as the machine where that ends before. To be called before there are threads.
  ///
  /// - Throws: where the host gives no process.
  static func begin() throws(HostError) -> Detachment {
    var channel: Int32 = -1
    // SAFETY: the number holds for the call.
    let child = unsafe chost_detach(&channel)
    guard child >= 0 else { throw HostError("fork", errno: -child, advice: "look at the limits of processes") }
    if child > 0 { wait(for: child, channel) }
    return Detachment(channel)
  }

  private static func wait(for child: pid_t, _ channel: Int32) -> Never {
    var name: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 512)
    while true {
      // SAFETY: the buffer holds for the call and its size goes along.
      let count = unsafe read(channel, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      name += chunk[..<count]
    }
    guard !name.isEmpty else { exit(chost_wait_for_end(child)) }
    do {
      try StandardStreams.writeOutput(name)
    } catch {
      Message.say("error: \(error); the machine runs")
      exit(error.exitStatus)
    }
    exit(0)
  }

  /// The guest has begun: the caller gets the machine's name, and its standard error is left, unless that is a file.
  /// From any thread; what comes after the first call does nothing.
  ///
  /// - Parameter name: by which `apus control` finds the machine, or its socket's path.
  func tell(_ name: String) {
    let number = channel.exchange(-1, ordering: .relaxed)
    guard number >= 0 else { return }
    StandardStreams.leaveErrors()
    let line = Array((name + "\n").utf8)
    // SAFETY: the buffer holds for the call. So short a text goes into an empty pipe at once.
    _ = unsafe write(number, line, line.count)
    close(number)
  }
}

extension HostError: CommandFailure {
  var exitStatus: Int32 { FailureKind.hostFailure.rawValue }
}
