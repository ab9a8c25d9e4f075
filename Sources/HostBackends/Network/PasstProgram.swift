package import CHost
internal import Glibc
package import Host

/// Ports of the host that passt has lead into the guest.
package struct PasstForward: Equatable {
  /// UDP's and not TCP's.
  package var isUDP: Bool
  /// As passt's options want it: `[ADDRESS/]HOST:GUEST`.
  package var ports: String

  package init(isUDP: Bool, ports: String) {
    self.isUDP = isUDP
    self.ports = ports
  }
}

/// The program passt: where it is, how it is called, and one process of it.
///
/// passt ends when its socket is closed, so it outlives no end of Apus, not even SIGKILL: the kernel closes it.
package final class PasstProgram {
  /// The largest MTU that passt has, in bytes: 65,535 less the link header, rounded down to words.
  package static let largestMTU: UInt16 = 65520

  /// What the guest is told by DHCP, whatever the host's own network is like: the same on each host.
  private static let network = [
    "--address", "10.0.2.15", "--netmask", "255.255.255.0", "--gateway", "10.0.2.2",
    // A name server that passt itself asks the host's for, also one that only the host reaches.
    "--dns-forward", "10.0.2.3",
  ]

  /// All of the environment that the program gets: what its caller has in it, such as credentials, is no business of a
  /// program that faces a guest.
  private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]

  /// Its number (PID).
  package let process: Int32
  /// Becomes readable when the process ends.
  package let end: OwnedDescriptor
  /// What it writes.
  package let output: OwnedDescriptor
  /// Our end of its socket, until it is taken.
  private var socket: OwnedDescriptor?
  private var isRunning = true

  /// The path of passt.
  ///
  /// - Parameter folders: where to look, separated by colons.
  /// - Throws: ``NetworkError/passtMissing``, where it is in none of them.
  package static func find(in folders: String = PasstProgram.searchPath) throws(NetworkError) -> String {
    for folder in folders.split(separator: ":") {
      let path = "\(folder)/passt"
      // SAFETY: the path holds for the call.
      if unsafe path.withHostPath({ unsafe access($0, X_OK) }) == 0 { return path }
    }
    throw .passtMissing
  }

  private static var searchPath: String {
    // SAFETY: the environment is not changed while machines start.
    unsafe getenv("PATH").map { unsafe HostPath.text(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
      ?? "/usr/local/bin:/usr/bin:/bin"
  }

  /// - Parameter hostLoopback: whether the gateway's address leads to the host's loopback interface. Every passt knows
  ///   the option that says no; one of before 2024 takes a guest's packets to 127.0.0.1 all the same
  ///   (``LoopbackGuard``).
  package static func arguments(
    forwards: [PasstForward],
    hostLoopback: Bool,
    mtu: UInt16
  ) -> [String] {
    ["passt", "--foreground", "--quiet", "--fd", "\(CHOST_PROGRAM_DESCRIPTOR)", "--mtu", "\(mtu)"] + network
      + (hostLoopback ? [] : ["--no-map-gw"])
      + forwards.flatMap { [$0.isUDP ? "--udp-ports" : "--tcp-ports", $0.ports] }
  }

  /// Starts a process.
  ///
  /// - Throws: ``NetworkError/cannotStartPasst(path:errno:)``.
  package init(_ path: String, _ arguments: [String]) throws(NetworkError) {
    var (ours, theirs, end, start): (Int32, Int32, Int32, Int32) = (-1, -1, -1, -1)
    // SAFETY: the numbers hold for the calls.
    var error = unsafe chost_stream_pair(&ours, &theirs)
    guard error == 0 else { throw .cannotStartPasst(path: path, errno: -error) }
    let socket = OwnedDescriptor(owning: ours)
    let other = OwnedDescriptor(owning: theirs)
    error = unsafe chost_pipe(&end, &start)
    guard error == 0 else { throw .cannotStartPasst(path: path, errno: -error) }
    let output = OwnedDescriptor(owning: end)
    let input = OwnedDescriptor(owning: start)
    let block = arguments.flatMap { Array($0.utf8CString) }
    let environment = Self.environment.flatMap { Array($0.utf8CString) }
    // SAFETY: the strings hold for the call and their sizes go along.
    let process = unsafe path.withHostPath { path in
      unsafe chost_program_start(
        path,
        block,
        block.count,
        environment,
        environment.count,
        other.rawValue,
        input.rawValue
      )
    }
    guard process > 0 else { throw .cannotStartPasst(path: path, errno: -process) }
    let watch = chost_process_watch(process)
    guard watch >= 0 else {
      chost_process_kill(process)
      throw .cannotStartPasst(path: path, errno: -watch)
    }
    self.process = process
    self.end = OwnedDescriptor(owning: watch)
    self.output = output
    self.socket = consume socket
  }

  deinit {
    if isRunning { chost_process_kill(process) }
  }

  /// Gives our end of its socket away.
  ///
  /// - Precondition: nobody has taken it.
  package func takeSocket() -> OwnedDescriptor {
    guard let socket = socket.take() else { preconditionFailure("a program's socket is taken once") }
    return socket
  }

  /// Ends the process if it still runs; ``end`` tells when it has.
  package func kill() {
    chost_watched_process_kill(end.rawValue)
  }

  /// How the process ended, once it has.
  package func takeEnd() -> chost_process_end? {
    var end = chost_process_end()
    // SAFETY: the structure holds for the call.
    guard unsafe chost_process_ended(process, &end) == 1 else { return nil }
    isRunning = false
    return end
  }

  /// What it has written since the last call, or a part of it.
  package func takeOutput() -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<64 {
      // SAFETY: the array holds for the call and its size goes along.
      let count = unsafe Int(chost_pipe_read(output.rawValue, &chunk, chunk.count))
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return bytes
  }
}
