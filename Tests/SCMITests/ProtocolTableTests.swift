import SCMI
import SCMIFile
import SCMITesting
import Testing

/// What follows from the tables is what the platform does.
@Suite struct ProtocolTableTests {
  private static func words(_ layout: FieldLayout) -> Int { layout.fields.reduce(0) { $0 + $1.format.size / 4 } }

  private static func fixedWords(_ layout: FieldLayout) -> Int {
    layout.fields.filter { !$0.isRest }.reduce(0) { $0 + $1.format.size / 4 }
  }

  @Test(arguments: ProtocolIdentifier.allCases) func numbersAndNamesAreThereOnce(identifier: ProtocolIdentifier) {
    let numbers = identifier.rows.map(\.number)
    let names = identifier.rows.map(\.row.name.description) + identifier.notificationRows.map(\.row.name.description)

    #expect(Set(numbers).count == numbers.count)
    #expect(numbers == numbers.sorted())
    #expect(Set(names).count == names.count)
    #expect(numbers.allSatisfy { $0 < MessageSet.limit })
  }

  @Test(arguments: ProtocolIdentifier.allCases) func sizesAreThoseOfTheTable(identifier: ProtocolIdentifier) throws {
    for (number, row) in identifier.rows where row.isOffered {
      let size = Self.fixedWords(row.request.layout)
      for (count, isTaken) in [(size, true), (size + 1, false), (size - 1, false)] where count >= 0 {
        var bench = try Bench.pair()

        let reply = bench.send(identifier.rawValue, number, [UInt32](repeating: 0, count: count))

        #expect((reply[0] != word(.protocolError)) == isTaken, "\(row.name) with \(count) words: \(reply)")
      }
    }
  }

  @Test(arguments: ProtocolIdentifier.allCases) func repliesHaveTheFieldsOfTheTable(
    identifier: ProtocolIdentifier
  ) throws {
    var successes = 0
    for (number, row) in identifier.rows where row.isOffered {
      var bench = try Bench.pair()
      let size = Self.fixedWords(row.request.layout)

      let reply = bench.send(identifier.rawValue, number, [UInt32](repeating: 0, count: size))

      guard reply.first == 0 else { continue }
      successes += 1
      let layout = row.reply.layout
      let hasRest = layout.fields.contains(where: \.isRest)
      let words = reply.count - 1
      #expect(
        hasRest ? words >= Self.fixedWords(layout) : words == Self.fixedWords(layout),
        "\(row.name): \(reply)"
      )
    }
    #expect(successes >= 3)
  }

  @Test func availabilityIsThatOfTheTable() throws {
    for identifier in ProtocolIdentifier.allCases {
      for (number, row) in identifier.rows {
        var bench = try Bench.pair()

        let reply = bench.ask(.messageAttributes(identifier, UInt32(number)))

        #expect(reply == (row.isOffered ? [0, row.attributes] : [word(.notFound)]), "\(row.name)")
      }
    }
  }

  /// The order of a structure's fields is the wire's: of two that are mixed up the words would be.
  @Test func requestsAreTheseWords() {
    let requests: [(Request, UInt8, [UInt32])] = [
      (.clockRateSet(clock: 7, rate: 0x1_0000_0002, flags: [.roundUp]), 5, [4, 7, 2, 1]),
      (.clockConfigSet(clock: 7, attributes: .init(.unchanged, type: 2), extendedValue: 90), 7, [7, 0x2_0003, 90]),
      (.powerStateSet(domain: 3, state: 0x4000_0000, flags: [.asynchronous]), 4, [1, 3, 0x4000_0000]),
      (.systemPowerStateSet(state: .suspend, flags: [.graceful]), 3, [1, 4]),
      (.performanceLimitsSet(domain: 2, maximum: 8, minimum: 1), 5, [2, 8, 1]),
      (
        .sensorTripPointConfig(sensor: 1, control: .init(3, .both), value: -2), 5,
        [1, 0x33, UInt32(bitPattern: -2), .max]
      ),
      (
        .sensorConfigSet(
          sensor: 1,
          configuration: .init(
            enabled: true,
            timestamps: true,
            interval: UpdateInterval(10, exponent: -3),
            rounding: .up
          )
        ), 0xA, [1, 10 << 16 | 0x1D << 11 | 1 << 9 | 3]
      ),
      (.reset(domain: 1, state: 9, flags: [.assert, .asynchronous]), 4, [1, 6, 9]),
      (.voltageLevelSet(domain: 1, level: -5, flags: [.asynchronous]), 7, [1, 1, UInt32(bitPattern: -5)]),
      (.powercapCapSet(domain: 1, cap: 9, flags: [.asynchronous]), 5, [1, 2, 9]),
      (.powercapMeasurementsNotify(domain: 1, low: 3, high: 4, enable: [.enabled]), 0xB, [1, 1, 3, 4]),
      (.pinSettingsGet(element: 1, attributes: .init(.all, .group, type: 5, skip: 2)), 5, [1, 0x5_0205]),
      (
        .pinSettingsConfigure(
          element: 1,
          function: 2,
          attributes: .init(.group, settings: 1, setsFunction: true),
          settings: [11, 12]
        ), 6, [1, 2, 0x405, 11, 12]
      ),
      (
        .baseSetProtocolPermissions(agent: 1, device: 2, protocolIdentifier: 0x14, flags: [.allowed]), 0xA,
        [1, 2, 0x14, 1]
      ),
    ]
    for (request, message, words) in requests {
      #expect(request.header.message == message)
      #expect(request.payload == words)
    }
  }
}
