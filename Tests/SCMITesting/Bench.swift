public import SCMI
public import SCMIFile

/// A platform with one resource of each kind (two clocks that are parents of a third), and something to ask it with.
public struct Bench: ~Copyable {
  public var platform: SCMIPlatform
  public var now: UInt64 = 0
  private var token: UInt16 = 0

  public static func definition(agents: [AgentDefinition] = [AgentDefinition("guest")]) -> PlatformDefinition {
    PlatformDefinition { platform in
      platform.clocks = [
        ClockDefinition("crystal") { $0.rates = .list([24_000_000]) },
        ClockDefinition("pll") { $0.rates = .range(minimum: 100, maximum: 1_000, step: 50) },
        ClockDefinition("a-clock-with-a-long-name") { clock in
          clock.rates = .list([1_000, 2_000, 3_000])
          clock.parents = ["crystal", "pll"]
          clock.dutyCycle = 50
          clock.phase = 0
          clock.extendedConfiguration = [0x80: 7]
          clock.asynchronousLatency = 500
        },
      ]
      platform.powerDomains = [
        PowerDomainDefinition("gpu") { domain in
          domain.asynchronous = true
          domain.asynchronousLatency = 1_000
        }
      ]
      platform.performanceDomains = [
        PerformanceDomainDefinition("cpu") { domain in
          domain.operatingPoints = (1...8).map {
            OperatingPoint(level: $0 * 100, power: $0 * 10, latency: 5, frequency: $0 * 100_000)
          }
          domain.sustainedFrequency = 600_000
          domain.sustainedLevel = 600
        }
      ]
      platform.sensors = [
        SensorDefinition("die") { sensor in
          sensor.binding = .constant([42_000])
          sensor.scale = -3
          sensor.tripPoints = 2
          sensor.asynchronous = true
          sensor.updates = true
          sensor.timestamps = true
          sensor.intervals = [UpdateInterval(1, exponent: -3), UpdateInterval(10, exponent: -3)]
          sensor.range = ValueRange(minimum: -40_000, maximum: 125_000, resolution: 10)
        },
        SensorDefinition("accelerometer-with-a-long-name") { sensor in
          sensor.type = 0x4E
          sensor.axes = ["x", "y", "z"].map { name in
            AxisDefinition(name) { $0.range = ValueRange(minimum: -2_000, maximum: 2_000) }
          }
          sensor.binding = .constant([1, -2, 3])
        },
      ]
      platform.resets = [ResetDefinition("usb") { $0.asynchronous = true }]
      platform.regulators = [
        VoltageDomainDefinition("vdd") { domain in
          domain.levels = .list([800_000, 900_000, 1_000_000])
          domain.asynchronous = true
        },
        VoltageDomainDefinition("vddio") { $0.levels = .range(minimum: -1_000, maximum: 1_000, step: 500) },
      ]
      platform.powercaps = [
        PowercapDefinition("board") { domain in
          domain.minimumCap = 1_000
          domain.maximumCap = 9_000
          domain.capStep = 100
          domain.minimumAveragingInterval = 10
          domain.maximumAveragingInterval = 100
          domain.averagingIntervalStep = 10
          domain.asynchronous = true
          domain.power = .waveform(Waveform(.square, minimum: 100, maximum: 5_000, period: 1_000_000_000))
        },
        PowercapDefinition("core") { domain in
          domain.minimumCap = 10
          domain.maximumCap = 10
          domain.parent = "board"
        },
      ]
      platform.pins = (0..<4).map { index in PinDefinition("pin\(index)") { $0.settings = [4: 1, 10: 8] } }
      platform.groups = [
        GroupDefinition("uart") { $0.pins = ["pin0", "pin1"] },
        GroupDefinition("spi") { $0.pins = ["pin1", "pin2", "pin3"] },
      ]
      platform.functions = [FunctionDefinition("serial") { $0.groups = ["uart", "spi"] }]
      platform.devices = [
        DeviceDefinition("display", [ResourceName(.clock, "pll"), ResourceName(.powerDomain, "gpu")])
      ]
      platform.agents = agents
    }
  }

  public init(_ definition: PlatformDefinition = Bench.definition()) throws(DefinitionErrors) {
    platform = try SCMIPlatform(definition)
  }

  /// Two agents that see everything, the first one trusted.
  public static func pair() throws -> Bench {
    try Bench(definition(agents: [AgentDefinition("one") { $0.trusted = true }, AgentDefinition("two")]))
  }

  /// Sends a command and returns the reply's payload: the status first.
  public mutating func ask(_ request: Request, agent: Int = 0) -> [UInt32] {
    send(request.header.protocolIdentifier, request.header.message, request.payload, agent: agent)
  }

  /// A command with words that need not be its own, such as too few.
  public mutating func ask(_ command: some SCMICommand, _ words: UInt32..., agent: Int = 0) -> [UInt32] {
    send(command.identifier.rawValue, command.rawValue, words, agent: agent)
  }

  /// A message of any number.
  public mutating func ask(
    _ identifier: ProtocolIdentifier,
    _ message: UInt8,
    _ words: UInt32...,
    agent: Int = 0
  ) -> [UInt32] {
    send(identifier.rawValue, message, words, agent: agent)
  }

  public mutating func send(_ identifier: UInt8, _ message: UInt8, _ words: [UInt32], agent: Int = 0) -> [UInt32] {
    token = (token + 1) % 1_024
    let request = SCMIMessage(header: MessageHeader(identifier, message, token: token), payload: words)
    var reply = SCMIMessage(header: MessageHeader(rawValue: 0))
    guard platform.handle(request, from: agent, at: now, reply: &reply) == .reply else { return [] }
    return reply.payload
  }

  /// Lets `time` nanoseconds pass.
  public mutating func wait(_ time: UInt64) {
    now += time
    platform.advance(to: now)
  }

  /// Everything that waits to be delivered.
  public mutating func outgoing() -> [Outgoing] {
    platform.advance(to: now)
    var result: [Outgoing] = []
    while let next = platform.takeOutgoing() { result.append(next) }
    return result
  }
}

/// A status as the word that a reply begins with.
public func word(_ status: SCMIStatus) -> UInt32 { UInt32(bitPattern: status.rawValue) }
