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
    transform: Setting.block
  )
  var block: [Setting] = []

  @Flag(help: "A device that gives the guest random numbers.")
  var entropy = false

  @Option(
    help: ArgumentHelp(
      "An SCMI platform, made from a platform file (see 'apus scmi --help').",
      discussion: "PATH[,agent=NAME][,window=NAME]",
      valueName: "platform"
    ),
    transform: Setting.scmi
  )
  var scmi: Setting?

  @Option(
    help: ArgumentHelp("Write each SCMI message as a line of JSON to a file.", valueName: "path"),
    transform: Setting.scmiTranscript
  )
  var scmiTranscript: Setting?

  @Option(
    help: ArgumentHelp(
      "A network card: on passt (the host's network, without privileges), a tap device or an open descriptor.",
      discussion: "passt[,forward=[ADDRESS/]HOST:GUEST[/udp]]…|tap=NAME|fd=NUMBER[,mac=MAC][,mtu=N][,window=NAME]",
      valueName: "network"
    ),
    transform: Setting.network
  )
  var network: [Setting] = []

  @Option(
    help: ArgumentHelp(
      "Where the console leads: stdio (the default), file=PATH, pty, pty=LINK or none.",
      discussion: "virtio[,window=NAME][,WHERE] makes a virtio console (hvc0) of it.",
      valueName: "console"
    ),
    transform: Setting.console
  )
  var console: Setting?

  @Option(
    help: ArgumentHelp(
      "A channel to /dev/virtio-ports/NAME in the guest. May be given several times.",
      discussion: "NAME=file=PATH (the guest writes), NAME=unix=PATH (Apus listens) or NAME=fd=N.",
      valueName: "port"
    ),
    transform: Setting.port
  )
  var port: [Setting] = []

  @Option(
    help: ArgumentHelp(
      "The memory that devices may reach: the size of their window, or 'open' for all of RAM.",
      discussion: "Guests without CONFIG_DMA_RESTRICTED_POOL (Debian's kernels) need 'open'.",
      valueName: "size|open"
    ),
    transform: Setting.dma
  )
  var dma: Setting?

  var changes: [Setting] {
    block + (entropy ? [.entropy] : []) + network + [scmi].compactMap(\.self) + port
      + [console, scmiTranscript, dma].compactMap(\.self)
  }
}
