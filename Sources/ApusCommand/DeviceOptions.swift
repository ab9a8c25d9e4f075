import Apus
import ArgumentParser

/// The machine's virtio devices.
struct DeviceOptions: ParsableArguments {
  @Option(
    name: [.customLong("block"), .customLong("disk")],
    help: ArgumentHelp(
      "A disk: a raw image or a block device. May be given several times.",
      discussion: "PATH[,readonly][,serial=TEXT][,queues=N][,window=NAME]",
      valueName: "disk"
    ),
    transform: { text in try described("--block", text) { () throws(DeviceTextError) in try .block(text) } }
  )
  var block: [Configuration.Device] = []

  @Flag(help: "A device that gives the guest random numbers.")
  var entropy = false

  @Option(
    help: ArgumentHelp(
      "The memory that devices may reach: the size of their window, or 'open' for all of RAM.",
      discussion: "Guests without CONFIG_DMA_RESTRICTED_POOL (Debian's kernels) need 'open'.",
      valueName: "size|open"
    ),
    transform: { text in
      if text == "open" { return .open }
      guard let size = ByteCount(text) else {
        throw ValidationError("give a size such as 64M, or open for all of RAM")
      }
      return .confined(windowSize: size.bytes)
    }
  )
  var dma: Configuration.DMA = .confined(windowSize: 64 << 20)

  func apply(to configuration: inout Configuration) {
    configuration.devices = block
    if entropy { configuration.devices.append(Configuration.Device(.entropy)) }
    configuration.dma = dma
  }

  /// Turns a mistake in a device's text into one of the flag.
  private static func described(
    _ flag: String,
    _ text: String,
    _ parse: () throws(DeviceTextError) -> Configuration.Device
  ) throws -> Configuration.Device {
    do {
      return try parse()
    } catch {
      throw ValidationError("\(flag) \(text): \(error)")
    }
  }
}
