internal import CPUModel
import GuestABI
import GuestMemory
internal import KVM
import Peripherals

/// What a run leaves behind for programs to read. Documentation/Report.md describes each key.
public struct Report: Sendable, Encodable {
  private enum CodingKeys: CodingKey {
    case apus, outcome, exitStatus, guestStatus, message, guestFault, machine, devices, peripherals, boots, pauses, time
    case exits, memory, gunyah
  }

  /// The version of Apus.
  public let apus: String
  /// ``Outcome/End/name``.
  public let outcome: String
  /// ``Outcome/exitStatus``.
  public let exitStatus: Int32
  /// ``Outcome/guestStatus``.
  public let guestStatus: Int32?
  /// The outcome in words. A program that knows the configuration by names of its own may say it with these:
  /// ``problem``.
  public var message: String
  /// ``Outcome/problem``. It is not encoded.
  public let problem: ConfigurationError.Problem?
  /// The registers, where the guest did what no machine goes on from.
  public let guestFault: GuestFault?
  /// What ran, or nil where nothing was started.
  public let machine: Machine?
  /// The virtio devices of the last boot and what each did.
  public let devices: [Device]
  /// What the guest did wrong with the registers of the serial port, the clock and the panic notifier, over all boots;
  /// none where the machine did not run, or was abandoned.
  public let peripherals: [Peripheral]
  /// How often it was started: 1, and one more for each reboot.
  public let boots: Int
  /// How often the guest's time was made to stand: once for each pause.
  public let pauses: Int
  /// Nanoseconds.
  public let time: Time
  /// How often vCPUs came back to user space, over all boots.
  public let exits: ExitCounts
  /// Bytes.
  public let memory: Memory
  /// What it did with Gunyah in the last boot; nil where it found KVM.
  public let gunyah: Gunyah?

  /// A machine as one of Gunyah's, at its end.
  public struct Gunyah: Sendable, Encodable {
    /// Its number.
    public let vmid: UInt16
    /// How often it called the hypervisor.
    public let calls: UInt64
    /// How often it got an abort for memory that was another machine's.
    public let aborts: UInt64
    /// How often its memory slots were made or taken away.
    public let slotChanges: UInt64
    /// The memory that it had lent, shared or given away, or that others had lent to it.
    public let parcels: [Parcel]

    /// Memory of one machine that others may have.
    public struct Parcel: Sendable, Encodable {
      /// The resource manager's number for it.
      public let handle: UInt32
      /// `lend`, `share` or `donate`.
      public let transfer: String
      /// The owner's own number for it.
      public let label: UInt32
      /// Whose memory it is.
      public let owner: UInt16
      /// In bytes.
      public let size: UInt64
      /// Who has accepted it.
      public let borrowers: [UInt16]
    }
  }

  /// The machine that ran.
  public struct Machine: Sendable, Encodable {
    /// The configuration's name.
    public let name: String
    /// The machine's identity.
    public let uuid: String
    /// How many vCPUs.
    public let cpus: Int
    /// The model of the vCPUs: `host`, or the model's name.
    public let cpuModel: String
    /// The features that the vCPUs got.
    public let cpuFeatures: [String]
    /// Whether huge pages were asked for.
    public let hugePages: Bool
    /// The interrupt controller's version.
    public let gic: Int
    /// What devices may reach: `confined` to their windows, `shadow` for copies, `open` for all of RAM, or
    /// `iommu` for what is mapped.
    public let dma: String
    /// The DMA windows, none where DMA is open.
    public let windows: [Window]
    /// The version of the table of firmware registers.
    public let firmwareTable: Int
    /// Firmware registers of the host that the table does not know.
    public let hiddenFirmwareRegisters: [String]

    /// Memory that devices reach.
    public struct Window: Sendable, Encodable {
      /// The configuration's name.
      public let name: String
      /// In bytes.
      public let size: UInt64
    }

    init(
      _ checked: CheckedConfiguration,
      _ board: Board,
      features: VirtualCPUFeatures,
      model: ProcessorModel?,
      firmware: FirmwareRegisters.Plan
    ) {
      let configuration = checked.configuration
      name = configuration.name
      uuid = checked.uuid.description
      cpus = configuration.cpuCount
      cpuModel = model?.name ?? "host"
      var names: [String] = []
      if features.contains(.sve) { names.append("sve") }
      if features.contains(.pmuV3) { names.append("pmu") }
      if features.contains(.pointerAuthenticationAddress) { names.append("pauth") }
      cpuFeatures = names
      hugePages = configuration.pages != .small
      gic = board.gic.rawValue
      dma = configuration.reachName
      windows = board.windows.map { Window(name: $0.name, size: $0.range.size) }
      firmwareTable = FirmwareRegisters.tableVersion
      hiddenFirmwareRegisters = firmware.unknown.map(\.description)
    }
  }

  /// A virtio device and what it did.
  public struct Device: Sendable, Encodable {
    /// Type and index, from 0 in the order of the configuration.
    public let name: String
    /// The device type, in one word.
    public let type: String
    /// The name of its DMA window, `shadow` where it had copies only, `open` where it could reach all of RAM, or
    /// `iommu` where it is behind one.
    public let window: String
    /// What of it the device's model can touch: `window`, `shadow` for copies of requests, or `messages` for nothing.
    public let reach: String
    /// Bytes that the device read from the guest's buffers.
    public let bytesRead: UInt64
    /// Bytes that the device wrote to the guest's buffers.
    public let bytesWritten: UInt64
    /// The most buffers of one chain of descriptors.
    public let largestChain: UInt64
    /// Accesses outside the window that were refused.
    public let refusedAccesses: UInt64
    /// How often the driver notified.
    public let kicks: UInt64
    /// How often the device interrupted.
    public let interrupts: UInt64
    /// How often the driver broke the rules.
    public let faults: UInt64
    /// What only its kind has, such as ``scmi``; encoded under the kind's name.
    let part: (any Encodable & Sendable)?

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodedKey.self)
      try container.encode(name, forKey: "name")
      try container.encode(type, forKey: "type")
      try container.encode(window, forKey: "window")
      try container.encode(reach, forKey: "reach")
      try container.encode(bytesRead, forKey: "bytesRead")
      try container.encode(bytesWritten, forKey: "bytesWritten")
      try container.encode(largestChain, forKey: "largestChain")
      try container.encode(refusedAccesses, forKey: "refusedAccesses")
      try container.encode(kicks, forKey: "kicks")
      try container.encode(interrupts, forKey: "interrupts")
      try container.encode(faults, forKey: "faults")
      if let part { try container.encode(part, forKey: CodedKey(stringValue: type)) }
    }
  }

  /// A device that is nothing but registers, and the accesses by which the guest did something that it does not do.
  public struct Peripheral: Sendable, Encodable, Equatable {
    /// `pl011`, `pl031` or `pvpanic`.
    public let name: String
    /// How many such accesses there were, by kind.
    public private(set) var misuses: Misuses

    /// Counts of accesses.
    public struct Misuses: Sendable, Encodable, Equatable {
      /// How many accesses were where no register begins.
      public var unknownOffset: UInt64 = 0
      /// How many accesses had a width that the register is not for.
      public var unsupportedWidth: UInt64 = 0
      /// How many reads there were of what can only be written.
      public var readOfWriteOnly: UInt64 = 0
      /// How many writes there were to what can only be read.
      public var writeToReadOnly: UInt64 = 0
      /// How many writes asked for what the device does not have.
      public var unsupportedValue: UInt64 = 0
      /// How many characters were transmitted while the transmitter was off.
      public var transmitterDisabled: UInt64 = 0
      /// How many characters were lost because a FIFO was full.
      public var characterLost: UInt64 = 0

      fileprivate mutating func add(_ other: Misuses) {
        unknownOffset &+= other.unknownOffset
        unsupportedWidth &+= other.unsupportedWidth
        readOfWriteOnly &+= other.readOfWriteOnly
        writeToReadOnly &+= other.writeToReadOnly
        unsupportedValue &+= other.unsupportedValue
        transmitterDisabled &+= other.transmitterDisabled
        characterLost &+= other.characterLost
      }
    }

    init(_ name: String, _ events: RegisterEvents) {
      self.name = name
      misuses = Misuses(
        unknownOffset: events.count(of: .unknownOffset),
        unsupportedWidth: events.count(of: .unsupportedWidth),
        readOfWriteOnly: events.count(of: .readOfWriteOnly),
        writeToReadOnly: events.count(of: .writeToReadOnly),
        unsupportedValue: events.count(of: .unsupportedValue),
        transmitterDisabled: events.count(of: .transmitterDisabled),
        characterLost: events.count(of: .characterLost)
      )
    }

    /// Adds what the same devices have counted in another boot.
    static func add(_ counted: [Peripheral], to peripherals: inout [Peripheral]) {
      guard !peripherals.isEmpty else {
        peripherals = counted
        return
      }
      for (index, device) in counted.enumerated() { peripherals[index].misuses.add(device.misuses) }
    }
  }

  /// Times, in nanoseconds.
  public struct Time: Sendable, Encodable {
    /// From the call of `run` to the end of the machine.
    public var wall: UInt64 = 0
    /// For how long of that the guest's time stood, in a pause.
    public var paused: UInt64 = 0
    /// Of the process in user mode, guests included.
    public var user: UInt64 = 0
    /// Of the process in the kernel.
    public var system: UInt64 = 0
    /// From the call of `run` to the first instruction of the first boot, or nil where there was none.
    public var wallToFirstInstruction: UInt64?
    /// Processor time of the process up to that instruction.
    public var processorToFirstInstruction: UInt64?
  }

  /// Memory at the end of the run, in bytes.
  public struct Memory: Sendable, Encodable {
    /// The guest's RAM.
    public var guest: UInt64 = 0
    /// What of it the guest or the loader has touched.
    public var guestResident: UInt64 = 0
    /// What of the process is resident beyond the guest's RAM.
    public var vmmResident: UInt64 = 0
    /// What of that is memory of the process's own, not of a file: heap, stacks and written data.
    public var vmmPrivate: UInt64 = 0
  }

  /// Whether somebody waits for the end: the run was ended from outside, or failed.
  public let isHurried: Bool

  init(
    outcome: Outcome,
    machine: Machine?,
    devices: [Device],
    peripherals: [Peripheral],
    boots: Int,
    pauses: Int,
    time: Time,
    exits: ExitCounts,
    memory: Memory,
    gunyah: Gunyah? = nil
  ) {
    self.gunyah = gunyah
    apus = ApusVersion.current
    isHurried = outcome.end.isHurried
    self.outcome = outcome.end.name
    exitStatus = outcome.exitStatus
    guestStatus = outcome.guestStatus
    message = outcome.message
    problem = outcome.problem
    guestFault = if case .guestFault(let fault) = outcome.end { fault } else { nil }
    self.machine = machine
    self.devices = devices
    self.peripherals = peripherals
    self.boots = boots
    self.pauses = pauses
    self.time = time
    self.exits = exits
    self.memory = memory
  }
}

/// The package's version.
public enum ApusVersion {
  /// As CHANGELOG.md has it.
  public static let current = "0.1.0"
}
