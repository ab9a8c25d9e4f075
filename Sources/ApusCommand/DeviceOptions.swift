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
    transform: { text in
      let disk = try described("--block", text) { () throws(DeviceTextError) in try .block(text) }
      return Setting { $0.configuration.devices.append(disk) }
    }
  )
  var block: [Setting] = []

  @Flag(help: "A device that gives the guest random numbers.")
  var entropy = false

  @Option(
    help: ArgumentHelp(
      "The memory that devices may reach: the size of their window, or 'open' for all of RAM.",
      discussion: "Guests without CONFIG_DMA_RESTRICTED_POOL (Debian's kernels) need 'open'.",
      valueName: "size|open"
    ),
    transform: Setting.value(
      { $0 == "open" ? .open : ByteCount($0).map { .confined(windowSize: $0.bytes) } },
      form: "give a size such as 64M, or open for all of RAM"
    ) { (settings, dma: Configuration.DMA) in settings.configuration.dma = dma }
  )
  var dma: Setting?

  func apply(to settings: inout Settings) {
    for disk in block { disk.apply(to: &settings) }
    if entropy { settings.configuration.devices.append(Configuration.Device(.entropy)) }
    dma?.apply(to: &settings)
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
