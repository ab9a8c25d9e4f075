import Apus
import Host
import QEMUSyntax

/// `-device`.
extension QEMUTranslation {
  mutating func takeDevice(_ value: String) throws(QEMUSyntaxError) {
    guard value.utf8.first != UInt8(ascii: "{") else {
      throw QEMUSyntaxError("-device", "JSON is not read here; give NAME,key=value")
    }
    var fields = try QEMUFields(value, of: "-device", implied: "driver")
    let driver = try fields.need("driver")
    let option = "-device \(driver)"
    _ = try fields.take("id")
    let known: String
    switch driver {
    case "virtio-blk-device":
      try takeDisk(&fields, of: option)
      known = "drive, serial, num-queues, id"
    case "virtio-net-device":
      try takeCard(&fields, of: option)
      known = "netdev, mac, id"
    case "virtio-rng-device":
      try takeEntropy(&fields, of: option)
      known = "rng, id"
    case "virtio-serial-device":
      machine.hasConsoleDevice = true
      _ = try fields.take("max_ports")
      known = "id, max_ports"
    case "virtserialport", "virtconsole":
      try takePort(driver, &fields)
      known = "chardev, name, id, bus, nr"
    case "vhost-user-fs-device", "vhost-user-fs-pci":
      // virtme-ng asks for PCI on arm64 and can be told nothing else.
      if driver == "vhost-user-fs-pci" {
        machine.notes.append("\(option): there is no PCI; the guest has it as virtio-mmio (vhost-user-fs-device)")
      }
      try takeFileSystem(&fields, of: option)
      known = "chardev, tag, queue-size, num-request-queues, id"
    default: throw QEMUSyntaxError(option, Self.advice(driver))
    }
    try fields.finish(known: known)
  }

  /// What to give in place of a device that Apus has not.
  private static func advice(_ driver: String) -> String {
    let devices = ["virtio-blk", "virtio-net", "virtio-rng", "virtio-serial", "vhost-user-fs"]
    for name in devices {
      let others = [name, "\(name)-pci", "\(name)-pci-non-transitional", "\(name)-pci-transitional"]
      if others.contains(driver) { return "there is no PCI; give -device \(name)-device" }
    }
    switch driver {
    case "virtio-9p-device", "virtio-9p-pci":
      return "9p is not there; let virtiofsd serve the folder and give vhost-user-fs-device, or use 'apus run --share'"
    case "virtio-scsi-device", "virtio-scsi-pci", "scsi-hd", "nvme", "usb-storage", "ide-hd":
      return "give virtio-blk-device"
    case "virtio-balloon-device", "virtio-balloon-pci": return "use 'apus run --hotplug-memory'"
    case "pvpanic", "pvpanic-pci": return "the machine has one always; leave it out"
    case "vhost-user-scmi-device", "vhost-user-scmi-pci", "vhost-user-rng-device", "vhost-user-blk-device",
      "vhost-user-vsock-device", "vhost-vsock-device", "vhost-user-rng-pci", "vhost-user-blk-pci":
      return "use 'apus run --vhost-user' (or --scmi)"
    default:
      return
        "there are virtio-blk-device, virtio-net-device, virtio-rng-device, virtio-serial-device, virtserialport, "
        + "virtconsole and vhost-user-fs-device"
    }
  }

  private mutating func takeEntropy(_ fields: inout QEMUFields, of option: String) throws(QEMUSyntaxError) {
    if let id = try fields.take("rng"), !randomSources.contains(id) {
      throw QEMUSyntaxError(option, "'rng=\(id)': there is no such -object rng-random")
    }
    if try fields.take("max-bytes") != nil {
      throw QEMUSyntaxError(option, "'max-bytes': random numbers are not rationed; leave it out")
    }
    configuration.devices.append(Configuration.Device(.entropy))
  }

  private mutating func takePort(_ driver: String, _ fields: inout QEMUFields) throws(QEMUSyntaxError) {
    let option = "-device \(driver)"
    let id = try fields.need("chardev")
    // All ports are one device's, however many there are to be; the guest finds them by their names.
    _ = try fields.take("bus")
    _ = try fields.take("nr")
    machine.hasConsoleDevice = true
    if driver == "virtconsole" {
      _ = try fields.take("name")
      guard !machine.carriesConsole else { throw QEMUSyntaxError(option, "the machine has one console; leave it out") }
      machine.carriesConsole = true
      serials.append(QEMUSerial(option: option, use: .named(id), isVirtio: true))
      return
    }
    let name = try fields.need("name")
    let device = try useCharacterDevice(id, by: option, several: false)
    machine.ports.append(QEMUPort(name: name, device: device, option: option))
  }

  private mutating func takeFileSystem(_ fields: inout QEMUFields, of option: String) throws(QEMUSyntaxError) {
    let id = try fields.need("chardev")
    let tag = try fields.need("tag")
    guard case .client(let path) = try useCharacterDevice(id, by: option, several: false) else {
      throw QEMUSyntaxError(option, "'chardev=\(id)': virtiofsd listens; give -chardev socket,id=\(id),path=SOCKET")
    }
    // How long the queues are at most is each side's own affair.
    _ = try fields.take("queue-size")
    try fields.takeOnly("cache-size", ["0"], otherwise: "there is no such cache; leave it out")
    let queues = try fields.take("num-request-queues") ?? "1"
    guard let count = Int(plain: queues), 1...15 ~= count else {
      throw QEMUSyntaxError(option, "'num-request-queues=\(queues)': give a number from 1 to 15")
    }
    var device = Configuration.Device.VhostUser(.init(number: 26), socket: path)
    device.tag = tag
    // The first queue is for urgent requests.
    if count > 1 { device.queueCount = count + 1 }
    configuration.devices.append(Configuration.Device(.vhostUser(device)))
  }

  /// Nothing that was given may be for nothing.
  mutating func finishDevices() throws(QEMUSyntaxError) {
    for drive in drives where !drive.isUsed {
      throw QEMUSyntaxError(drive.option, "no -device has '\(drive.id)'; give virtio-blk-device,drive=\(drive.id)")
    }
    for network in networks where !network.isUsed {
      let advice = "no -device has '\(network.id)'; give virtio-net-device,netdev=\(network.id)"
      throw QEMUSyntaxError("-netdev", advice)
    }
  }
}
