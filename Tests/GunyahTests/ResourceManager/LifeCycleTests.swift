import Gunyah
import ResourceManagerTesting
import Testing

@Suite("The life of machines")
struct LifeCycleTests {
  private static let neighbour = ManagerBench.neighbour
  /// A number that no machine has.
  private static let nobody = VMID(0x9F)

  @Test("statement 11: a hundred lives tell each state once, in order, and leave nothing")
  func hundredLives() {
    let bench = ManagerBench()

    for _ in 0..<100 {
      let (machine, image) = bench.make()
      bench.notifications = [:]
      let errors = [
        bench.ask(.configureImage, Request.configure(machine, handle: image)),
        bench.ask(.initialize, Request.machine(machine)),
        bench.ask(.start, Request.machine(machine)),
      ]
      bench.manager.exited(machine, .off)
      bench.check()
      let resetError = bench.ask(.reset, Request.machine(machine))
      let states = bench.states(of: machine)
      let reclaimError = bench.ask(.reclaim, Request.handle(image))
      let deallocateError = bench.ask(.deallocate, Request.machine(machine))

      #expect(errors == [nil, nil, nil])
      #expect(states == [1, 2, 3, 9, 10, 11])
      #expect(resetError == nil && reclaimError == nil && deallocateError == nil)
      #expect(bench.host.existing == [.primary, Self.neighbour])
    }
    bench.check()
    #expect(bench.manager.parcelReports.isEmpty)
    #expect(bench.manager.ownership(of: .primary)?.segments.count == 2)
  }

  /// The messages about a machine, their payloads, and the states in which they are not answered by VM_STATE.
  private static let calls: [(MessageID, @Sendable (VMID) -> [UInt8], [MachineState])] = [
    (.deallocate, { Request.machine($0) }, [.load, .reset]),
    (.configureImage, { Request.configure($0, handle: 1) }, [.load, .reset]),
    (.authenticateImage, { Request.authenticate($0) }, [.authentication]),
    (.initialize, { Request.machine($0) }, [.initial]),
    (.start, { Request.machine($0) }, [.ready]),
    (.stop, { Request.stop($0, force: true) }, [.running]),
    (.reset, { Request.machine($0) }, [.exited, .ready, .initializationFailed]),
    (.setFirmwareMemory, { Request.firmware($0) }, [.initial]),
  ]
  private static let states: [MachineState] = [
    .load, .initial, .authentication, .ready, .running, .exited, .initializationFailed, .reset,
  ]

  @Test("statement 12: each message in each state does what it does there, or VM_STATE", arguments: states, 0..<8)
  func everyStateAndCall(state: MachineState, call: Int) {
    let bench = ManagerBench()
    let machine = bench.machine(in: state)
    let (id, payload, good) = Self.calls[call]

    let error = bench.ask(id, payload(machine))

    if !good.contains(state) {
      #expect(error == .machineState)
      #expect(bench.manager.state(of: machine) == state)
    } else if id == .authenticateImage || id == .setFirmwareMemory {
      #expect(error == .argumentInvalid)
    } else {
      #expect(error == nil)
    }
    bench.check()
  }

  @Test("statement 12: a stranger and an unknown machine have the table's errors, in its order", arguments: states)
  func strangers(state: MachineState) {
    let bench = ManagerBench()
    let machine = bench.machine(in: state)
    // Whose asking comes before whether there is such a machine.
    let unknown: [MessageID: RMError] = [
      .deallocate: .vmidInvalid, .configureImage: .denied, .authenticateImage: .vmidInvalid, .initialize: .denied,
      .start: .vmidInvalid, .stop: .vmidInvalid, .reset: .vmidInvalid, .setFirmwareMemory: .noResource,
    ]
    let stranger: [MessageID: RMError] = [
      .deallocate: .denied, .configureImage: .denied, .authenticateImage: .denied, .initialize: .denied,
      .start: .denied, .stop: .vmidInvalid, .reset: .vmidInvalid, .setFirmwareMemory: .denied,
    ]

    for (id, payload, _) in Self.calls {
      #expect(bench.ask(id, payload(Self.nobody), from: Self.neighbour) == unknown[id])
      #expect(bench.ask(id, payload(machine), from: Self.neighbour) == stranger[id])
    }
    #expect(bench.ask(.configureImage, Request.configure(Self.nobody, handle: 1)) == .vmidInvalid)
    #expect(bench.ask(.initialize, Request.machine(Self.nobody)) == .vmidInvalid)
    #expect(bench.manager.state(of: machine) == state)
  }

  @Test("a message that is not as long as its contents is MSG_INVALID", arguments: 0..<8, [-1, 1])
  func wrongLength(call: Int, difference: Int) {
    let bench = ManagerBench()
    let machine = bench.machine(in: .ready)
    let (id, payload, _) = Self.calls[call]
    let bytes = payload(machine)

    let wrong = difference < 0 ? Array(bytes.dropLast()) : bytes + [0]

    #expect(bench.ask(id, wrong) == .messageInvalid)
    #expect(bench.ask(id, []) == .messageInvalid)
    #expect(bench.manager.state(of: machine) == .ready)
  }

  @Test("only the primary machine makes others, and as many as there are numbers")
  func allocate() {
    let bench = ManagerBench()

    let denied = bench.ask(.allocate, Request.machine(VMID(0)), from: Self.neighbour)
    let numbers = (0..<63).map { _ in bench.number(.allocate, Request.machine(VMID(0))) }
    let none = bench.ask(.allocate, Request.machine(VMID(0)))
    let named = bench.payload(.allocate, Request.machine(VMID(31)))
    let again = [31, 5, 3, 0x80, 0xFF, 32].map { bench.ask(.allocate, Request.machine(VMID($0))) }

    #expect(denied == .denied)
    #expect(numbers == (0x80...0xBE).map { UInt32($0) })
    #expect(none == .noResource)
    #expect(named == [0, 0, 0, 0])
    #expect(again.allSatisfy { $0 == .noResource })
    #expect(bench.ask(.deallocate, Request.machine(VMID(0x90))) == nil)
    #expect(bench.number(.allocate, Request.machine(VMID(0))) == 0x90)
  }

  @Test("a host that cannot make a machine is the answer, and the number stays free")
  func hostCannotMake() {
    let bench = ManagerBench()
    bench.host.failures["create"] = .noMemory

    let error = bench.ask(.allocate, Request.machine(VMID(0)))
    bench.host.failures = [:]

    #expect(error == .noMemory)
    #expect(bench.number(.allocate, Request.machine(VMID(0))) == 0x80)
  }

  @Test("an image that is not the machine's, or not where it is said, fails the configuration")
  func badImages() {
    let neighbours = ManagerBench.neighbour
    let cases: [(RMError, (VMID, UInt32, ManagerBench) -> [UInt8])] = [
      (.memoryInvalid, { machine, _, _ in Request.configure(machine, handle: 77) }),
      (
        .memoryInvalid,
        { machine, _, bench in
          let range = (ManagerBench.memory.start + 0x10_0000, UInt64(0x1000))
          let other = bench.number(.lend, Request.parcel([(neighbours, .all)], [range])) ?? 0
          return Request.configure(machine, handle: other)
        }
      ),
      (
        .memoryInvalid,
        { machine, _, bench in
          let range = (ManagerBench.neighboursMemory.start, UInt64(0x4000))
          let other = bench.number(.lend, Request.parcel([(machine, .all)], [range]), from: neighbours) ?? 0
          return Request.configure(machine, handle: other)
        }
      ),
      (
        .memoryInvalid,
        { machine, _, bench in
          let range = (ManagerBench.memory.start + 0x10_0000, UInt64(0x4000))
          let open = bench.number(.lend, Request.parcel([(machine, .all)], [range], flags: 2)) ?? 0
          return Request.configure(machine, handle: open)
        }
      ),
      (
        .argumentInvalid,
        { machine, image, _ in
          Request.configure(machine, handle: image, image: PageRange(start: 0x1_0000, size: 1))
        }
      ),
      (
        .argumentInvalid,
        { machine, image, _ in Request.configure(machine, handle: image, image: PageRange(start: .max, size: .max)) }
      ),
      (
        .argumentInvalid,
        { machine, image, _ in
          Request.configure(machine, handle: image, deviceTree: PageRange(start: 0xF000, size: 0x1001))
        }
      ),
      (.argumentInvalid, { machine, image, _ in Request.configure(machine, authentication: 3, handle: image) }),
    ]

    for (expected, request) in cases {
      let bench = ManagerBench()
      let (machine, image) = bench.make()
      #expect(bench.ask(.configureImage, request(machine, image, bench)) == expected)
      #expect(bench.manager.state(of: machine) == .initializationFailed)
      #expect(bench.states(of: machine) == [8])
      #expect(bench.ask(.reset, Request.machine(machine)) == nil)
      bench.check()
    }
  }

  @Test(
    "what the host says of a device tree is the answer to INIT, and nothing is left of it",
    arguments: [RMError.memoryInvalid, .argumentInvalid, .noResource]
  )
  func badDeviceTree(error: RMError) {
    let bench = ManagerBench()
    let machine = bench.machine(in: .initial)
    bench.host.failures["configure"] = error

    let answer = bench.ask(.initialize, Request.machine(machine))

    #expect(answer == error)
    #expect(bench.manager.state(of: machine) == .initializationFailed)
    #expect(bench.host.configured.isEmpty)
  }

  @Test("addresses that cannot be are a wrong configuration")
  func badConfigurations() {
    var unaligned = MachineConfiguration()
    unaligned.imageAddress = 0x8000_0800
    var high = MachineConfiguration()
    high.addressEnd = 0x1000_0000
    high.imageAddress = 0x1000_0000
    var overlapping = MachineConfiguration()
    overlapping.reserved = [PageRange(start: 0, size: 0x2000), PageRange(start: 0x1000, size: 0x1000)]
    var shared = MachineConfiguration()
    shared.sharedMemory = [SharedMemoryRequest(label: 1, address: 1, isOptional: true)]

    for configuration in [unaligned, high, overlapping, shared] {
      let bench = ManagerBench()
      let machine = bench.machine(in: .initial)
      bench.host.configurations[machine] = configuration
      #expect(bench.ask(.initialize, Request.machine(machine)) == .argumentInvalid)
      #expect(bench.manager.state(of: machine) == .initializationFailed)
      #expect(bench.host.configured.isEmpty)
    }
  }

  @Test("START fails where the image is no loan to the machine alone, or the host cannot")
  func startFails() {
    let start = ManagerBench.memory.start
    let images: [(MessageID, [(VMID, MemoryRights)])] = [
      (.lend, [(VMID(0x80), [.read, .write])]),
      (.lend, [(VMID(0x80), .all), (ManagerBench.neighbour, .read)]),
      (.share, [(VMID(0x80), .all), (.primary, .all)]),
      (.donate, [(VMID(0x80), .all)]),
    ]

    for (id, access) in images {
      let bench = ManagerBench()
      _ = bench.number(.allocate, Request.machine(VMID(0)))
      let image = bench.number(id, Request.parcel(access, [(start, 0x4000)])) ?? 0
      let machine = VMID(0x80)
      #expect(bench.ask(.configureImage, Request.configure(machine, handle: image)) == nil)
      #expect(bench.ask(.initialize, Request.machine(machine)) == nil)
      #expect(bench.ask(.start, Request.machine(machine)) == .noResource)
      #expect(bench.manager.state(of: machine) == .initializationFailed)
    }
    for call in ["map", "patchDeviceTree", "start"] {
      let bench = ManagerBench()
      let machine = bench.machine(in: .ready)
      bench.host.failures[call] = .noMemory
      #expect(bench.ask(.start, Request.machine(machine)) == .noResource)
      #expect(bench.states(of: machine) == [8])
      #expect(bench.ask(.reset, Request.machine(machine)) == nil)
      bench.check()
    }
  }

  @Test("a shared image starts where that is allowed")
  func sharedImage() {
    let bench = ManagerBench()
    bench.manager.allowsSharedImages = true
    let machine = VMID(0x80)
    _ = bench.number(.allocate, Request.machine(VMID(0)))
    let range = (ManagerBench.memory.start, UInt64(0x4000))
    let image = bench.number(.share, Request.parcel([(machine, .all), (.primary, .all)], [range])) ?? 0

    let errors = [
      bench.ask(.configureImage, Request.configure(machine, handle: image)),
      bench.ask(.initialize, Request.machine(machine)),
      bench.ask(.start, Request.machine(machine)),
    ]

    #expect(errors == [nil, nil, nil])
    #expect(bench.host.running.contains(machine))
    bench.check()
  }

  @Test("a machine starts with its image at its address, memory by label at its own, and the rest anywhere")
  func startLaysOut() throws {
    let bench = ManagerBench()
    let (machine, image) = bench.make()
    let start = ManagerBench.memory.start
    var configuration = MachineConfiguration()
    configuration.imageAddress = 0x4000_0000
    configuration.reserved = [PageRange(start: 0x20_0000, size: 0x20_0000)]
    configuration.sharedMemory = [
      SharedMemoryRequest(label: 7, address: 0x5000_0000, isOptional: false),
      SharedMemoryRequest(label: 8, address: nil, isOptional: true),
    ]
    bench.host.configurations[machine] = configuration
    let shared = Request.parcel(
      [(machine, [.read, .write]), (.primary, .all)],
      [(start + 0x20_0000, 0x3000)],
      label: 7
    )
    let more = Request.parcel([(machine, .all)], [(start + 0x40_0000, 0x20_0000)])
    _ = bench.number(.share, shared)
    _ = bench.number(.lend, more)
    let request = Request.configure(
      machine,
      handle: image,
      image: PageRange(start: 0x2000, size: 0x1000),
      deviceTree: PageRange(start: 0x8000, size: 0x800)
    )

    let errors = [
      bench.ask(.configureImage, request), bench.ask(.initialize, Request.machine(machine)),
      bench.ask(.start, Request.machine(machine)),
    ]

    let layout = try #require(bench.host.layouts[machine])
    #expect(errors == [nil, nil, nil])
    #expect(bench.host.entries[machine] == [0x4000_2000, 0x4000_8000])
    #expect(layout.deviceTree == 0x4000_8000 && layout.deviceTreeSize == 0x800)
    #expect(layout.image.map(\.address) == [0x4000_0000] && layout.image.map(\.homeAddress) == [start])
    #expect(
      layout.memory == [
        PageRange(start: 0x40_0000, size: 0x20_0000), PageRange(start: 0x4000_0000, size: 0x1_0000),
      ]
    )
    #expect(layout.sharedMemory.map(\.label) == [7] && layout.sharedMemory[0].peer == .primary)
    #expect(layout.sharedMemory[0].ranges == [PageRange(start: 0x5000_0000, size: 0x3000)])
    bench.check()
  }

  @Test("shared memory that a device tree wants and nobody gives is no resource")
  func missingSharedMemory() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .initial)
    var configuration = MachineConfiguration()
    configuration.sharedMemory = [SharedMemoryRequest(label: 7, address: nil, isOptional: false)]
    bench.host.configurations[machine] = configuration
    _ = bench.ask(.initialize, Request.machine(machine))

    #expect(bench.ask(.start, Request.machine(machine)) == .noResource)
    #expect(bench.ask(.reset, Request.machine(machine)) == nil)
    bench.check()
  }

  @Test("after a reset a machine can be configured and started anew")
  func secondLife() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .reset)

    let errors = [
      bench.ask(.configureImage, Request.configure(machine, handle: 1)),
      bench.ask(.initialize, Request.machine(machine)),
      bench.ask(.start, Request.machine(machine)),
    ]

    #expect(errors == [nil, nil, nil])
    #expect(bench.states(of: machine) == [1, 2, 3])
  }

  @Test("a reset tells RESETTING, answers, and tells RESET then")
  func resetOrder() {
    let bench = ManagerBench()
    let machine = bench.machine(in: .exited)
    let request = RPCMessage(kind: .request, sequence: 3, id: .reset, payload: Request.machine(machine))
    var seen: [UInt32] = []

    bench.manager.receive(request.fragments[0], from: .primary)
    while let fragment = bench.manager.nextFragment(for: .primary) {
      seen.append(fragment[1] & 3 == 2 ? 0 : UInt32(fragment[12]))
      bench.manager.fragmentSent(to: .primary)
    }

    #expect(seen == [10, 0, 11])
  }
}
