import Apus

/// What a command line in QEMU's words comes to, before anything is opened.
struct QEMUMachine {
  /// All but what stands behind character devices.
  var configuration: Configuration
  /// Where the guest's console leads.
  var console = QEMUCharacterDevice.none
  /// The channels between the guest and the host.
  var ports: [QEMUPort] = []
  /// Whether a virtio console carries the console.
  var carriesConsole = false
  /// Whether the machine has a console device.
  var hasConsoleDevice = false
  /// Where a client of QEMU's machine protocol is.
  var protocolPlace: QEMUCharacterDevice?
  /// Whether the client's `cont` starts the guest.
  var isStopped = false
  /// What `query-name` answers.
  var name: String?
  var isDetached = false
  var processFile: String?
  /// What differs from what was asked for, and matters to some.
  var notes: [String] = []
}

/// What stands behind a character device.
enum QEMUCharacterDevice: Equatable {
  /// Nothing.
  case none
  /// Standard input and output.
  case standardStreams
  /// A file that is truncated; there is no input.
  case file(path: String)
  /// A new pseudo-terminal, with a link to it.
  case pseudoTerminal(link: String?)
  /// A UNIX socket on which somebody else listens.
  case client(path: String)
  /// A UNIX socket that is made, and on which one peer connects: before the guest starts where `waits` says so.
  case server(path: String, waits: Bool)
}

/// A channel between a program in the guest and the host.
struct QEMUPort: Equatable {
  var name: String
  var device: QEMUCharacterDevice
  /// The option that wanted it.
  var option: String
}
