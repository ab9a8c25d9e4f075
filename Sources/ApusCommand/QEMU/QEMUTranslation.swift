import Apus
import QEMUSyntax

/// Reads the options of QEMU's command line one after the other, and makes of all of them a machine of Apus.
///
/// Whatever an option says is done, or refused: nothing that would matter to a guest is left out in silence.
struct QEMUTranslation {
  var configuration = Configuration(payload: .kernel(path: ""))
  var machine: QEMUMachine
  var kernel: String?
  var accelerators: [String] = []
  /// `memory-backend` and `memdev` by the option that named it.
  var memoryUses: [(option: String, id: String)] = []
  var memoryBackends: [(id: String, size: UInt64)] = []
  var randomSources: [String] = []
  var drives: [QEMUDrive] = []
  var networks: [QEMUNetwork] = []
  var characterDevices: [QEMUNamedCharacterDevice] = []
  var serials: [QEMUSerial] = []
  var deviceOptions: [String] = []
  var monitors: [(option: String, device: String)] = []
  var hasScreenOption = false
  var isWithoutScreen = false
  var hasDefaults = true
  var isStopped = false
  var isOnce = false

  private init() {
    machine = QEMUMachine(configuration: configuration)
    // QEMU's own, which is less than Apus's.
    configuration.memorySize = 128 << 20
    configuration.measuresMemory = false
  }

  /// Reads a command line.
  ///
  /// - Throws: ``QEMUSyntaxError`` for the first option that cannot be followed.
  static func machine(_ options: [QEMUOption]) throws(QEMUSyntaxError) -> QEMUMachine {
    var translation = QEMUTranslation()
    for option in options { try translation.take(option) }
    return try translation.finish()
  }

  private mutating func take(_ option: QEMUOption) throws(QEMUSyntaxError) {
    if let reason = QEMUOptionTable.refusal(of: option.name) { throw QEMUSyntaxError("-\(option.name)", reason) }
    let value = option.value ?? ""
    switch option.name {
    case "M", "machine": try takeMachine(value, of: "-\(option.name)")
    case "cpu": try takeCPU(value)
    case "accel": try takeAccelerator(value)
    case "enable-kvm": accelerators.append("kvm")
    case "m": try takeMemory(value)
    case "smp": try takeCPUs(value)
    case "object": try takeObject(value)
    case "numa": try takeNode(value)
    case "drive": try takeDrive(value)
    case "blockdev": try takeBlockNode(value)
    case "device": deviceOptions.append(value)
    case "netdev": try takeNetwork(value, of: "-netdev")
    case "nic": try takeNIC(value)
    case "chardev": try takeCharacterDevice(value)
    case "serial": serials.append(try serial(value))
    case "monitor": monitors.append(("-monitor", value))
    case "mon": try takeMonitor(value)
    case "qmp": try takeProtocol(value)
    case "gdb": try takeDebugger(value)
    case "s": try takeDebugger("tcp::1234")
    default: try takeRest(option.name, value)
    }
  }

  private mutating func takeRest(_ name: String, _ value: String) throws(QEMUSyntaxError) {
    switch name {
    case "kernel": kernel = value
    case "initrd": configuration.initramfs = value
    case "append": configuration.commandLine = value
    case "nographic": isWithoutScreen = true
    case "nodefaults": hasDefaults = false
    case "no-reboot": isOnce = true
    case "S": isStopped = true
    case "daemonize": machine.isDetached = true
    case "pidfile": machine.processFile = value
    case "display":
      guard value == "none" else { throw QEMUSyntaxError("-display \(value)", "there is no screen; give none") }
      hasScreenOption = true
    case "net":
      let advice = "give none, or -netdev user,id=n and -device virtio-net-device,netdev=n"
      guard value == "none" else { throw QEMUSyntaxError("-net \(value)", advice) }
    case "vga", "parallel", "audio":
      guard value == "none" else { throw QEMUSyntaxError("-\(name) \(value)", "there is no such device; give none") }
    case "name": try takeName(value)
    case "uuid":
      guard let uuid = Configuration.UUID(value) else { throw QEMUSyntaxError("-uuid", Configuration.UUID.form) }
      configuration.uuid = uuid
    case "rtc": try takeClock(value)
    case "action": try takeAction(value)
    case "global":
      guard value == "virtio-mmio.force-legacy=false" else {
        throw QEMUSyntaxError("-global \(value)", "give the value at the device's own option")
      }
    case "echr":
      guard value == "1" || value == "0x1" || value == "0x01" else {
        throw QEMUSyntaxError("-echr \(value)", "the key is Ctrl-A; give 1")
      }
    // What is of no consequence: there are no files of QEMU's to read, no ACPI, and the help was given before.
    case "no-user-config", "no-acpi", "L": break
    default: throw QEMUSyntaxError("-\(name)", "there is no such option with Apus; see -help")
    }
  }

  private mutating func takeName(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-name", implied: "guest")
    let name = try fields.take("guest")
    // Names for tools of the host that look at processes and threads.
    _ = try fields.take("process")
    _ = try fields.take("debug-threads")
    try fields.finish(known: "guest, process, debug-threads")
    guard let name else { return }
    machine.name = name
    configuration.name = name
  }

  private func takeClock(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-rtc", implied: "base")
    try fields.takeOnly("base", ["utc"], otherwise: "the clock has the host's time in UTC; give utc")
    try fields.takeOnly("clock", ["host"], otherwise: "the clock is the host's; give host")
    try fields.takeOnly("driftfix", ["none"], otherwise: "give none")
    try fields.finish(known: "base=utc, clock=host")
  }

  private mutating func takeAction(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-action")
    try fields.takeOnly(
      "panic",
      ["shutdown", "exit-failure"],
      otherwise: "a panic ends the machine; give exit-failure"
    )
    try fields.takeOnly("shutdown", ["poweroff"], otherwise: "give poweroff")
    switch try fields.take("reboot") {
    case "shutdown": isOnce = true
    case nil, "reset": break
    case let other?: throw QEMUSyntaxError("-action", "'reboot=\(other)': give reset or shutdown")
    }
    try fields.finish(known: "panic, reboot, shutdown")
  }

  private mutating func finish() throws(QEMUSyntaxError) -> QEMUMachine {
    guard let kernel, !kernel.isEmpty else {
      throw QEMUSyntaxError("-kernel", "it is missing: there is no firmware that looks for a system; give an Image")
    }
    configuration.payload = .kernel(path: kernel)
    configuration.onReset = isOnce ? .stop : .reboot
    if !accelerators.isEmpty, !accelerators.contains("kvm") {
      throw QEMUSyntaxError("-accel \(accelerators.joined(separator: ":"))", "Apus runs guests on KVM alone; give kvm")
    }
    guard isWithoutScreen || hasScreenOption || !hasDefaults else {
      throw QEMUSyntaxError("-display", "the machine has no screen; give -nographic or -display none")
    }
    try checkMemory()
    for text in deviceOptions { try takeDevice(text) }
    try finishDevices()
    try finishCharacterDevices()
    configuration.console = .none
    machine.configuration = configuration
    try finishStart()
    return machine
  }

  private mutating func finishStart() throws(QEMUSyntaxError) {
    machine.isStopped = isStopped
    if isStopped, machine.protocolPlace == nil {
      guard configuration.debugger != nil else {
        throw QEMUSyntaxError("-S", "nobody could start the guest; give -qmp (and 'cont'), or -gdb or -s, too")
      }
      // The debugger's `continue` starts the guest.
      machine.configuration.debugger?.waits = true
      machine.isStopped = false
    }
    guard machine.isDetached else { return }
    if machine.isStopped {
      throw QEMUSyntaxError("-daemonize", "a stopped machine cannot leave its caller; leave out -S")
    }
    if machine.console == .standardStreams || machine.protocolPlace == .standardStreams {
      throw QEMUSyntaxError("-daemonize", "the standard streams are left; give -serial file:PATH, pty or none")
    }
    machine.configuration.control = .registered
  }
}
