internal import CLinux
internal import Glibc
import KVM

/// The program passt: where it is, how it is called, and one process of it.
///
/// passt ends when its socket is closed, so it outlives no end of Apus, not even SIGKILL: the kernel closes it.
final class PasstProgram {
  /// The largest MTU that passt has, in bytes: 65,535 less the link header, rounded down to words.
  static let largestMTU: UInt16 = 65520

  /// What the guest is told by DHCP, whatever the host's own network is like: the same on each host.
  private static let network = [
    "--address", "10.0.2.15", "--netmask", "255.255.255.0", "--gateway", "10.0.2.2",
  ]

  let process: Int32
  /// Becomes readable when the process ends.
  let end: OwnedDescriptor
  /// What it writes.
  let output: OwnedDescriptor
  /// Our end of its socket, until it is taken.
  private var socket: OwnedDescriptor?
  private var isRunning = true

  /// The path of passt.
  ///
  /// - Parameter folders: where to look, separated by colons.
  static func find(in folders: String = PasstProgram.searchPath) throws(NetworkError) -> String {
    for folder in folders.split(separator: ":") {
      let path = "\(folder)/passt"
      // SAFETY: the path holds for the call.
      if unsafe access(path, X_OK) == 0 { return path }
    }
    throw .passtMissing
  }

  private static var searchPath: String {
    // SAFETY: the environment is not changed while machines start.
    unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
  }

  static func arguments(forwards: [Configuration.Device.Network.Forward], mtu: UInt16) -> [String] {
    ["passt", "--foreground", "--quiet", "--fd", "\(CLINUX_PROGRAM_DESCRIPTOR)", "--mtu", "\(mtu)"] + network
      + forwards.flatMap { [$0.transport == .tcp ? "--tcp-ports" : "--udp-ports", $0.passtText] }
  }

  /// Starts a process.
  init(_ path: String, _ arguments: [String]) throws(NetworkError) {
    var (ours, theirs, end, start): (Int32, Int32, Int32, Int32) = (-1, -1, -1, -1)
    // SAFETY: the numbers hold for the calls.
    var error = unsafe clinux_stream_pair(&ours, &theirs)
    guard error == 0 else { throw .cannotStartPasst(path: path, errno: -error) }
    let socket = OwnedDescriptor(owning: ours)
    let other = OwnedDescriptor(owning: theirs)
    error = unsafe clinux_pipe(&end, &start)
    guard error == 0 else { throw .cannotStartPasst(path: path, errno: -error) }
    let output = OwnedDescriptor(owning: end)
    let input = OwnedDescriptor(owning: start)
    let block = arguments.flatMap { Array($0.utf8CString) }
    // SAFETY: the strings hold for the call and their size goes along.
    let process = unsafe clinux_program_start(path, block, block.count, other.rawValue, input.rawValue)
    guard process > 0 else { throw .cannotStartPasst(path: path, errno: -process) }
    let watch = clinux_process_watch(process)
    guard watch >= 0 else {
      clinux_process_kill(process)
      throw .cannotStartPasst(path: path, errno: -watch)
    }
    self.process = process
    self.end = OwnedDescriptor(owning: watch)
    self.output = output
    self.socket = consume socket
  }

  deinit {
    if isRunning { clinux_process_kill(process) }
  }

  func takeSocket() -> OwnedDescriptor {
    guard let socket = socket.take() else { preconditionFailure("a program's socket is taken once") }
    return socket
  }

  /// Ends the process if it still runs; ``end`` tells when it has.
  func kill() {
    clinux_watched_process_kill(end.rawValue)
  }

  /// How the process ended, once it has.
  func takeEnd() -> clinux_process_end? {
    var end = clinux_process_end()
    // SAFETY: the structure holds for the call.
    guard unsafe clinux_process_ended(process, &end) == 1 else { return nil }
    isRunning = false
    return end
  }

  /// What it has written since the last call, or a part of it.
  func takeOutput() -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<64 {
      // SAFETY: the array holds for the call and its size goes along.
      let count = unsafe Int(clinux_pipe_read(output.rawValue, &chunk, chunk.count))
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return bytes
  }
}
