import ApusTesting
import Foundation
import GuestSupport
import Synchronization
import Testing
import Virtio

@testable import Apus

/// The state of peripherals and devices, from one machine into another.
@Suite("The state of a machine beside its vCPUs and memory", .requiresKVM, .ownThread)
struct MachineStateTests {
  /// A machine with a device of each kind that needs no program of the host's and no network.
  private static func configuration(disk: String, platform: String) throws -> Configuration {
    var configuration = try BareMetalTests.configuration("echo")
    var block = Configuration.Device.Block(path: disk)
    block.isReadOnly = true
    configuration.devices = [
      .init(.entropy), .init(.block(block)), .init(.console(.init(carriesConsole: false))),
      .init(.scmi(.init(path: platform))), .init(.memory(.init(size: 128 << 20))),
    ]
    return configuration
  }

  private static let platform = Array(
    #"{"clocks":[{"name":"pll","rates":[1,2]}],"agents":[{"name":"guest"}]}"#.utf8
  )

  /// What `body` finds on the device thread.
  private func ask<Value: Sendable>(
    _ machine: Machine,
    _ body: @escaping @Sendable (Boot) throws -> Value
  ) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      machine.askBoot { boot in
        continuation.resume(
          with: Result {
            guard let boot else { throw CancellationError() }
            return try body(boot)
          }
        )
      }
    }
  }

  /// Each piece by its name, as JSON.
  private func take(_ machine: Machine) async throws -> [String: Data] {
    try await ask(machine) { boot in
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return try Dictionary(uniqueKeysWithValues: boot.assembly.takeState().map { ($0.name, try encoder.encode($0)) })
    }
  }

  private struct Piece: Decodable {
    static let place = CodingUserInfoKey(rawValue: "place")
    let part: StatePart

    init(from decoder: any Decoder) throws {
      let key = try #require(Self.place)
      let place = try #require(decoder.userInfo[key] as? Place)
      part = try place.boot.assembly.decodePart(place.name, from: decoder)
    }
  }

  private final class Place: @unchecked Sendable {
    // SAFETY: @unchecked: on the device thread alone.
    let boot: Boot
    let name: String

    init(_ boot: Boot, _ name: String) {
      (self.boot, self.name) = (boot, name)
    }
  }

  private func put(_ state: [String: Data], into machine: Machine) async throws -> [String] {
    try await withCheckedThrowingContinuation { continuation in
      machine.askBoot { boot in
        do {
          guard let boot else { throw CancellationError() }
          var parts: [StatePart] = []
          for (name, data) in state {
            let decoder = JSONDecoder()
            decoder.userInfo[try #require(Piece.place)] = Place(boot, name)
            parts.append(try decoder.decode(Piece.self, from: data).part)
          }
          boot.assembly.putState(parts, known: []) { continuation.resume(returning: $0?.problems ?? []) }
        } catch {
          continuation.resume(throwing: error)
        }
      }
    }
  }

  @Test("goes into another machine whole, with the input that no guest had got")
  func moves() async throws {
    try await TestFile.with([UInt8](repeating: 0, count: 1 << 20)) { disk in
      try await TestFile.with(Self.platform) { platform in
        let configuration = try Self.configuration(disk: disk, platform: platform)
        let first = try await GuestRun.boot(configuration) { machine, console in
          try await console.expect("Echo\n")
          #expect(await machine.pause())
          console.send("ahead")
          // The input comes on the device thread, too.
          var state = try await take(machine)
          for _ in 0..<100 where state["pl011"].map({ !String(decoding: $0, as: UTF8.self).contains("97,104") }) == true
          {
            try await Task.sleep(for: .milliseconds(20))
            state = try await take(machine)
          }
          let second = try await GuestRun.boot(configuration, beside: true) { other, otherConsole in
            try await otherConsole.expect("Echo\n")
            #expect(await other.pause())
            #expect(try await put(state, into: other) == [])
            let again = try await take(other)
            let before = try await ask(other) { $0.assembly.generationID.bytes }
            try await ask(other) { $0.assembly.generationID.change() }
            let after = try await ask(other) { $0.assembly.generationID.bytes }
            #expect(await other.resume())
            try await otherConsole.expect("ahead")
            otherConsole.send("q")

            #expect(again.keys.sorted() == state.keys.sorted())
            for (name, data) in state where name != "pl031" {
              let (old, new) = (
                String(decoding: data, as: UTF8.self), String(decoding: again[name] ?? Data(), as: UTF8.self)
              )
              #expect(old == new, "\(name)")
            }
            #expect(before != after && after.count == 16)
          }
          #expect(second.outcome.end == .poweredOff)
          #expect(await machine.resume())
          try await console.expect("ahead")
          console.send("q")
        }
        #expect(first.outcome.end == .poweredOff)
        #expect(first.console == "Echo\nahead\nBye\n")
      }
    }
  }

  @Test("is refused whole by a machine with other devices, with another disk and another platform")
  func mismatches() async throws {
    try await TestFile.with([UInt8](repeating: 0, count: 1 << 20)) { disk in
      try await TestFile.with(Self.platform) { platform in
        let configuration = try Self.configuration(disk: disk, platform: platform)
        var state: [String: Data] = [:]
        _ = try await GuestRun.boot(configuration) { machine, console in
          try await console.expect("Echo\n")
          #expect(await machine.pause())
          state = try await take(machine)
          #expect(await machine.resume())
          console.send("q")
        }
        var fewer = configuration
        fewer.devices.removeLast()
        _ = try await GuestRun.boot(fewer) { machine, console in
          #expect(await machine.pause())
          await #expect(throws: MachineStateError.self) { _ = try await put(state, into: machine) }
          let problems = try await put(state.filter { !$0.key.hasPrefix("memory4") }, into: machine)
          #expect(
            problems == [
              "the snapshot's devices are entropy0, block1, console2, scmi3, memory4, and this machine's entropy0, block1, "
                + "console2, scmi3; give the same ones in the same order"
            ]
          )
          #expect(await machine.resume())
          console.send("q")
        }
        try await TestFile.with([UInt8](repeating: 1, count: 1 << 20)) { other in
          let none = Array(#"{"agents":[{"name":"guest"}]}"#.utf8)
          try await TestFile.with(none) { otherPlatform in
            let different = try Self.configuration(disk: other, platform: otherPlatform)
            _ = try await GuestRun.boot(different) { machine, console in
              #expect(await machine.pause())
              let problems = try await put(state, into: machine)
              #expect(problems.count == 2)
              #expect(problems.first?.hasPrefix("block1: '\(other)' is another file than the disk was") == true)
              #expect(problems.last?.hasPrefix("scmi3: the SCMI platform's state does not fit its definition") == true)
              #expect(await machine.resume())
              console.send("q")
            }
          }
        }
      }
    }
  }
}
