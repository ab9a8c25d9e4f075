import Apus
import Host
import QEMUSyntax

/// An image that a disk may have.
struct QEMUDrive {
  /// The option that named it.
  var option: String
  /// By which a device finds it.
  var id: String
  var path: String
  var isReadOnly: Bool
  /// Whether a device has it.
  var isUsed: Bool
}

/// `-drive` and `-blockdev`: images, and the disks of those that ask for one themselves.
extension QEMUTranslation {
  private static let rawAdvice = "Apus has raw images; convert it by 'qemu-img convert -O raw' and give format=raw"

  mutating func takeDrive(_ value: String) throws(QEMUSyntaxError) {
    let option = "-drive"
    var fields = try QEMUFields(value, of: option, implied: "file")
    let path = try fields.need("file")
    guard let format = try fields.take("format") else {
      throw QEMUSyntaxError(option, "'\(path)': a format is not guessed; give format=raw")
    }
    guard format == "raw" else { throw QEMUSyntaxError(option, "'format=\(format)': \(Self.rawAdvice)") }
    let interface = try fields.take("if") ?? "virtio"
    guard interface == "virtio" || interface == "none" else {
      throw QEMUSyntaxError(option, "'if=\(interface)': disks are on virtio; give if=virtio, or if=none and a -device")
    }
    var isReadOnly = false
    for name in ["readonly", "read-only"] { isReadOnly = try fields.takeSwitch(name) ?? isReadOnly }
    let id = try fields.take("id") ?? ""
    let serial = try fields.take("serial") ?? ""
    try takeCaching(&fields, option)
    try fields.takeOnly("media", ["disk"], otherwise: "disks are disks; give media=disk")
    _ = try fields.take("index")
    try fields.takeOnly("snapshot", ["off"], otherwise: "give a copy of the image, or readonly=on")
    try fields.finish(known: "file, format=raw, if, id, readonly, serial, cache, aio, discard, media=disk")
    drives.append(QEMUDrive(option: option, id: id, path: path, isReadOnly: isReadOnly, isUsed: interface == "virtio"))
    if interface == "virtio" { addDisk(drives[drives.count - 1], serial: serial, queueCount: 1) }
  }

  /// How the host keeps what it reads and writes: a guest's flush holds in each way that is taken.
  private func takeCaching(_ fields: inout QEMUFields, _ option: String) throws(QEMUSyntaxError) {
    let advice = "a write is safe when the guest flushes and not before; give writeback"
    try fields.takeOnly("cache", ["writeback", "none", "unsafe"], otherwise: advice)
    try fields.takeOnly("cache.writeback", ["on"], otherwise: "\(advice) (on)")
    _ = try fields.takeSwitch("cache.direct")
    _ = try fields.takeSwitch("cache.no-flush")
    try fields.takeOnly("aio", ["threads", "native", "io_uring"], otherwise: "give threads")
    try fields.takeOnly("discard", ["unmap", "on", "ignore", "off"], otherwise: "give unmap or ignore")
    try fields.takeOnly("detect-zeroes", ["off"], otherwise: "give off")
    for name in ["werror", "rerror"] {
      try fields.takeOnly(name, ["report", "enospc"], otherwise: "the guest is told of errors; give report")
    }
    _ = try fields.takeSwitch("auto-read-only")
    try fields.takeOnly("locking", ["on", "auto"], otherwise: "an image is locked while it is used; give on")
  }

  mutating func takeBlockNode(_ value: String) throws(QEMUSyntaxError) {
    let option = "-blockdev"
    guard value.utf8.first != UInt8(ascii: "{") else {
      throw QEMUSyntaxError(
        option,
        "JSON is not read here; give driver=raw,node-name=ID,file.driver=file,file.filename=…"
      )
    }
    var fields = try QEMUFields(value, of: option, implied: "driver")
    let driver = try fields.need("driver")
    let id = try fields.need("node-name")
    let isReadOnly = try fields.takeSwitch("read-only") ?? false
    try takeCaching(&fields, option)
    switch driver {
    case "file", "host_device":
      let path = try fields.need("filename")
      try fields.finish(known: "driver, node-name, filename, read-only")
      drives.append(QEMUDrive(option: option, id: id, path: path, isReadOnly: isReadOnly, isUsed: false))
    case "raw":
      if let node = try fields.take("file") {
        guard let index = drives.firstIndex(where: { $0.id == node && !$0.isUsed }) else {
          throw QEMUSyntaxError(option, "'file=\(node)': there is no such -blockdev driver=file before it")
        }
        drives[index].id = id
        drives[index].isReadOnly = drives[index].isReadOnly || isReadOnly
      } else {
        try fields.takeOnly("file.driver", ["file", "host_device"], otherwise: "give file")
        let path = try fields.need("file.filename")
        let isFileReadOnly = try fields.takeSwitch("file.read-only") ?? false
        for name in ["file.locking", "file.aio", "file.cache.direct"] { _ = try fields.take(name) }
        drives.append(
          QEMUDrive(option: option, id: id, path: path, isReadOnly: isReadOnly || isFileReadOnly, isUsed: false)
        )
      }
      try fields.finish(known: "driver, node-name, file, read-only, file.driver, file.filename")
    default: throw QEMUSyntaxError(option, "'driver=\(driver)': \(Self.rawAdvice)")
    }
  }

  private mutating func addDisk(_ drive: QEMUDrive, serial: String, queueCount: Int) {
    var block = Configuration.Device.Block(path: drive.path)
    block.isReadOnly = drive.isReadOnly
    block.serial = serial
    block.queueCount = queueCount
    configuration.devices.append(Configuration.Device(.block(block)))
  }

  /// `-device virtio-blk-device`.
  mutating func takeDisk(_ fields: inout QEMUFields, of option: String) throws(QEMUSyntaxError) {
    let id = try fields.need("drive")
    guard let index = drives.firstIndex(where: { $0.id == id }) else {
      throw QEMUSyntaxError(option, "'drive=\(id)': there is no such -drive id= or -blockdev node-name=")
    }
    guard !drives[index].isUsed else { throw QEMUSyntaxError(option, "'drive=\(id)': another disk has it already") }
    drives[index].isUsed = true
    let serial = try fields.take("serial") ?? ""
    let queues = try fields.take("num-queues") ?? "1"
    guard let count = Int(plain: queues) else {
      throw QEMUSyntaxError(option, "'num-queues=\(queues)' is no number from 1 to 16; give one")
    }
    if try fields.takeSwitch("share-rw") == true {
      throw QEMUSyntaxError(option, "'share-rw=on': an image is locked while it is used; give off")
    }
    for name in ["write-cache", "scsi", "config-wce"] { _ = try fields.takeSwitch(name) }
    addDisk(drives[index], serial: serial, queueCount: count)
  }
}
