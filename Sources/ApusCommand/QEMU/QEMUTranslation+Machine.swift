import Apus
import Host
import QEMUSyntax

/// The processor, the memory, and what holds both.
extension QEMUTranslation {
  mutating func takeMachine(_ value: String, of option: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: option, implied: "type")
    try fields.takeOnly("type", ["virt"], otherwise: "Apus has one machine; give virt")
    switch try fields.take("gic-version") {
    case nil, "host", "max": break
    case "2": configuration.gic = .v2
    case "3": configuration.gic = .v3
    case let other?: throw QEMUSyntaxError(option, "'gic-version=\(other)': give 2, 3, host or max")
    }
    if let names = try fields.take("accel") { accelerators += names.split(separator: ":").map(String.init) }
    if let id = try fields.take("memory-backend") { memoryUses.append(("\(option) memory-backend", id)) }
    let missing = "a guest on KVM has it not; give off"
    for name in ["virtualization", "secure", "mte", "ras", "usb", "graphics", "hmat", "confidential-guest-support"] {
      try fields.takeOnly(name, ["off"], otherwise: missing)
    }
    // With these the machine is as it is without them.
    try fields.takeOnly("iommu", ["none"], otherwise: "give none; 'apus run --iommu' has a virtio one")
    try fields.takeOnly("its", ["off"], otherwise: "there is no PCI whose interrupts it would take; give off")
    try fields.takeOnly("highmem", ["on"], otherwise: "RAM may be as large as -m says; give on")
    try fields.takeOnly("dump-guest-core", ["on", "off"], otherwise: "give on or off")
    try fields.takeOnly("mem-merge", ["on", "off"], otherwise: "give on or off")
    try fields.takeOnly("acpi", ["off", "auto"], otherwise: "the guest has a device tree; give off")
    try fields.takeOnly("kernel_irqchip", ["on"], otherwise: "the interrupt controller is KVM's; give on")
    try fields.finish(known: "type=virt, gic-version, accel, memory-backend")
  }

  mutating func takeCPU(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-cpu", implied: "model")
    let model = try fields.take("model") ?? "host"
    guard model == "host" || model == "max" else {
      throw QEMUSyntaxError("-cpu \(model)", "KVM gives the guest the host's own processor and no model; give host")
    }
    if let isOn = try fields.takeSwitch("sve") { configuration.cpuFeatures.sve = isOn }
    if let isOn = try fields.takeSwitch("pmu") { configuration.cpuFeatures.pmu = isOn }
    if let isOn = try fields.takeSwitch("pauth") { configuration.cpuFeatures.pointerAuthentication = isOn }
    // Which algorithm an emulator takes for pointer authentication: the processor has its own.
    _ = try fields.takeSwitch("pauth-impdef")
    try fields.takeOnly("aarch64", ["on"], otherwise: "guests are of 64 bits; give on")
    try fields.finish(known: "sve, pmu and pauth, each on or off")
  }

  mutating func takeAccelerator(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-accel", implied: "accel")
    let name = try fields.need("accel")
    guard ["kvm", "tcg", "hvf", "xen", "qtest", "whpx", "nvmm"].contains(name) else {
      throw QEMUSyntaxError("-accel \(name)", "give kvm")
    }
    accelerators.append(name)
    // What another accelerator would be told is of no consequence.
    guard name == "kvm" else { return }
    try fields.takeOnly("kernel-irqchip", ["on"], otherwise: "the interrupt controller is KVM's; give on")
    try fields.finish(known: "kernel-irqchip=on")
  }

  mutating func takeMemory(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-m", implied: "size")
    if let text = try fields.take("size") {
      configuration.memorySize = try Self.size(text, of: "-m", unit: 1 << 20)
    }
    let reason = "memory is not plugged this way; use 'apus run --hotplug-memory'"
    try fields.takeOnly("slots", ["0"], otherwise: reason)
    if let text = try fields.take("maxmem"), try Self.size(text, of: "-m", unit: 1 << 20) != configuration.memorySize {
      throw QEMUSyntaxError("-m", "'maxmem=\(text)': \(reason)")
    }
    try fields.finish(known: "size")
  }

  /// A number of bytes as QEMU reads it: a whole number and K, M, G or T.
  ///
  /// - Parameter unit: of a number without one, in bytes.
  static func size(_ text: String, of option: String, unit: UInt64) throws(QEMUSyntaxError) -> UInt64 {
    if let number = UInt64(plain: text) {
      let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
      if !overflow { return bytes }
    } else if let size = ByteCount(text) {
      return size.bytes
    }
    throw QEMUSyntaxError(option, "'\(text)' is no size; give a whole number with K, M, G or T, such as 512M")
  }

  mutating func takeCPUs(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-smp", implied: "cpus")
    var numbers: [String: Int] = [:]
    for name in ["cpus", "drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads", "maxcpus"] {
      guard let text = try fields.take(name) else { continue }
      guard let number = Int(plain: text), 1...4096 ~= number else {
        throw QEMUSyntaxError("-smp", "'\(name)=\(text)' is no number from 1; give one such as 4")
      }
      numbers[name] = number
    }
    try fields.finish(known: "cpus, sockets, clusters, cores, threads, maxcpus")
    let levels = ["drawers", "books", "sockets", "dies", "clusters", "modules", "cores", "threads"]
    let product = levels.reduce(1) { min($0 * (numbers[$1] ?? 1), 1 << 20) }
    let count = numbers["cpus"] ?? numbers["maxcpus"] ?? product
    configuration.cpuCount = count
    guard numbers["maxcpus"] ?? count == count else {
      throw QEMUSyntaxError("-smp", "'maxcpus': vCPUs are not plugged; give as many as cpus")
    }
    guard levels.allSatisfy({ $0 == "cores" || numbers[$0] ?? 1 == 1 }) else {
      throw QEMUSyntaxError(
        "-smp",
        "the guest sees vCPUs side by side, neither sockets nor threads; give cpus=\(count)"
      )
    }
    if levels.contains(where: { numbers[$0] != nil }), product != count {
      throw QEMUSyntaxError("-smp", "sockets × clusters × cores × threads is \(product) and cpus \(count)")
    }
  }

  mutating func takeObject(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-object", implied: "qom-type")
    let type = try fields.need("qom-type")
    let option = "-object \(type)"
    switch type {
    case "memory-backend-memfd", "memory-backend-ram":
      let id = try fields.need("id")
      let size = try Self.size(try fields.need("size"), of: option, unit: 1)
      // Who needs to see memory is shown the windows, and nothing else, however it was asked for.
      _ = try fields.takeSwitch("share")
      for name in ["prealloc", "hugetlb", "seal"] { _ = try fields.takeSwitch(name) }
      try fields.finish(known: "id, size, share")
      memoryBackends.append((id, size))
    case "rng-random", "rng-builtin":
      let id = try fields.need("id")
      let sources = ["/dev/urandom", "/dev/random"]
      try fields.takeOnly("filename", sources, otherwise: "random numbers are the host kernel's; give /dev/urandom")
      try fields.finish(known: "id, filename")
      randomSources.append(id)
    case "monitor-hmp":
      let id = try fields.need("chardev")
      _ = try fields.take("id")
      try fields.finish(known: "id, chardev")
      monitors.append((option, "chardev:\(id)"))
    default:
      throw QEMUSyntaxError(option, "there are memory-backend-memfd, memory-backend-ram, rng-random and rng-builtin")
    }
  }

  mutating func takeNode(_ value: String) throws(QEMUSyntaxError) {
    var fields = try QEMUFields(value, of: "-numa", implied: "type")
    try fields.takeOnly("type", ["node"], otherwise: "the machine has one node; leave it out")
    try fields.takeOnly("nodeid", ["0"], otherwise: "the machine has one node; leave it out")
    if let id = try fields.take("memdev") { memoryUses.append(("-numa memdev", id)) }
    _ = try fields.take("mem")
    _ = fields.takeAll("cpus")
    try fields.finish(known: "memdev")
  }

  /// What is said of memory in other places is what `-m` says.
  func checkMemory() throws(QEMUSyntaxError) {
    if memoryUses.count > 1 {
      throw QEMUSyntaxError(memoryUses[1].option, "the machine has one node with one memory; give one of them")
    }
    for use in memoryUses {
      guard let backend = memoryBackends.first(where: { $0.id == use.id }) else {
        throw QEMUSyntaxError("\(use.option)=\(use.id)", "there is no such -object memory-backend-memfd")
      }
      guard backend.size == configuration.memorySize else {
        let size = ByteCount(configuration.memorySize)
        throw QEMUSyntaxError("-object id=\(use.id)", "its size is not that of -m, which is \(size); give the same")
      }
    }
  }
}
