internal import AgentProtocol
internal import BootImageTesting
internal import CPUModelTesting
internal import ControlTesting
internal import DeviceTree
internal import FuzzSupport
internal import Glibc
internal import GunyahTesting
internal import MessagesTesting
internal import QEMUTesting
internal import ResourceManagerTesting
internal import SecondaryTreeTesting
internal import SnapshotTesting
internal import VhostUserTesting
internal import VirtioDriver
internal import VirtioTesting

// Writes a seed corpus: `FuzzSeeds TARGET FOLDER`. Each seed is something that a good or a hostile driver does.

@main
private enum FuzzSeeds {
  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let seeds = seeds(for: arguments[1]) else {
      print("usage: FuzzSeeds TARGET FOLDER")
      exit(2)
    }
    for (number, seed) in seeds.enumerated() {
      guard write(seed, to: "\(arguments[2])/seed-\(number)") else {
        print("can't write to \(arguments[2])")
        exit(1)
      }
    }
  }

  private static func seeds(for target: String) -> [[UInt8]]? {
    switch target {
    case "FuzzVirtqueue": HostileChain.allCases.map(memory(of:))
    case "FuzzVirtioMMIO": [registers(reset: false), registers(reset: true)]
    case "FuzzBlock":
      ([0, 1, 4, 8, 11, 13] as [UInt8]).map { type in
        SeedProgram.chain(
          payload: [type, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
          queue: 0,
          readable: [16] + (type == 1 ? [512] : type > 10 ? [16] : []),
          writable: (type == 0 ? [512] : type == 8 ? [20] : []) + [1]
        )
      }
    case "FuzzConsole":
      [
        SeedProgram.chain(payload: [255, 255, 255, 255, 0, 0, 1, 0], queue: 3, readable: [8], writable: []),
        SeedProgram.chain(payload: [1, 0, 0, 0, 3, 0, 1, 0], queue: 3, readable: [8], writable: []),
        SeedProgram.chain(payload: [1, 0, 0, 0, 6, 0, 1, 0], queue: 3, readable: [8], writable: []),
        SeedProgram.chain(payload: Array("hello".utf8), queue: 1, readable: [5], writable: []),
        SeedProgram.chain(payload: [], queue: 0, readable: [], writable: [64]),
        SeedProgram.chain(payload: [], queue: 2, readable: [], writable: [64]),
      ]
    case "FuzzNetwork":
      [
        SeedProgram.chain(payload: [], queue: 1, readable: [12, 60], writable: []),
        SeedProgram.chain(payload: [], queue: 0, readable: [], writable: [1526]),
        SeedProgram.chain(payload: [1, 1, 2, 0, 0, 0, 0, 1], queue: 2, readable: [2, 6], writable: [1]),
        SeedProgram.chain(payload: [5, 0, 3, 0, 0, 0, 0, 0, 0, 0], queue: 2, readable: [2, 8], writable: [1]),
        SeedProgram.chain(payload: [1, 0], queue: 2, readable: [10], writable: [1]),
        SeedProgram.chain(payload: [3, 0], queue: 2, readable: [2], writable: [1]),
      ]
    case "FuzzMessagesDevice": ExerciseMessages.deviceSeeds
    case "FuzzMessagesServer": ExerciseMessages.serverSeeds
    case "FuzzSnapshot": ExerciseSnapshot.seeds
    case "FuzzGunyah": ExerciseObjects.seeds
    case "FuzzGunyahFile": ExerciseTranscript.seeds
    case "FuzzVhostUser": ExerciseVhostUser.seeds
    case "FuzzVhostUserDevice": ExerciseVhostUserDevice.seeds
    case "FuzzEntropy": [SeedProgram.chain(payload: [], queue: 0, readable: [], writable: [64, 16])]
    case "FuzzMemory":
      ([0, 1, 2, 3, 4] as [UInt8]).map { type in
        SeedProgram.chain(
          payload: [type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
          queue: 0,
          readable: [24],
          writable: [10]
        )
      }
    case "FuzzIOMMU":
      [
        // ATTACH, and a DETACH, of device 1 and domain 1, and an unknown type.
        ([1, 2, 9] as [UInt8]).map { type in
          SeedProgram.chain(
            payload: [type, 0, 0, 0, 1, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 11),
            queue: 0,
            readable: [20],
            writable: [4]
          )
        }.flatMap(\.self),
        SeedProgram.chain(
          payload: [1, 0, 0, 0, 1, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 11),
          queue: 0,
          readable: [20],
          writable: [4]
        )
          // UNMAP of all.
          + SeedProgram.chain(
            payload: [4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 127, 0, 0, 0, 0, 0, 0, 0, 0],
            queue: 0,
            readable: [28],
            writable: [4]
          ),
        SeedProgram.chain(payload: [], queue: 1, readable: [], writable: [24]),
      ]
    case "FuzzSCMIDevice":
      (0x10...0x19 as ClosedRange<UInt8>).map { identifier in
        SeedProgram.chain(
          payload: [5, identifier << 2, identifier >> 6, 0, 1, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0],
          queue: 0,
          readable: [20],
          writable: [132]
        ) + SeedProgram.chain(payload: [], queue: 1, readable: [], writable: [132])
      }
    case "FuzzSCMISession": (0x10...0x19 as ClosedRange<UInt8>).map(enumeration(of:))
    case "FuzzSCMIFile":
      [
        "{\"agents\":[{\"name\":\"a\"}],\"clocks\":[{\"name\":\"c\",\"rates\":[1,2]}]}",
        """
        {"agents":[{"name":"a"}],"clocks":[{"name":"c","rates":[2,1],"allowInvalid":true}],"rules":[{"name":"r",
        "target":"notification","action":{"alter":[{"offset":8,"width":2,"add":-1},{"offset":4,"xor":1}]}}],
        "script":[{"time":9,"interrupt":"d"}],"deviceTree":{"consumers":[{"name":"d","kind":"device",
        "compatible":["x"],"resources":["clocks/c"],"names":{"clocks/c":"b"},"registers":[{"size":8,"words":[1]}],
        "interrupts":[{}],"properties":{"p":[1],"q":{"wide":[1]}},"children":[{"name":"e@1"}]}]}}
        """,
      ].map { Array($0.utf8) }
    case "FuzzRM": ManagerProgram.seeds
    case "FuzzSecondaryTree": ExerciseSecondaryTree.seeds
    case "FuzzSCMIDecoder": [Array("0650000000000000".utf8), [6, 0x50, 0, 0, 1, 0, 0, 0]]
    case "FuzzBootImage": sampleImages
    case "FuzzDeviceTreeOverlay": [overlay(byPath: false), overlay(byPath: true)]
    case "FuzzDebugger":
      [
        "\u{1}qSupported:swbreak+\n?\ng\np1f\nP1=0100000000000000\nHg2\nqfThreadInfo\nvCont;s:1;c\nD",
        "\u{1}mffff800000000000,10\nMffff800000000000,2:a0a1\nXffff800000000000,2:ab\nxffff800000000000,2\nk",
        "\u{1}Z0,ffff800000000000,4\nZ1,1000,4\nZ2,2000,8\nz2,2000,8\nvCont;c\nqRcmd,68656c70\nvKill;1",
        "\u{1}qXfer:features:read:target.xml:0,100\nqXfer:threads:read::0,100\nqThreadExtraInfo,1\nT1\nc\ns1000\nC05",
        "\u{4}$?#3f+-\u{3}$QStartNoAckMode#b0$m0,4#fd",
      ].map { Array($0.utf8) }
    case "FuzzTranslation": translations
    case "FuzzHarness":
      [
        "\u{10}[    1.000000] KTAP version 1\n[    1.000000] 1..1\n[    1.000000]   KTAP version 1\n"
          + "[    1.000000]   # Subtest: s\n[    1.000000]   ok 1 a # SKIP b\n[    1.000000] ok 1 s\n",
        "\u{3}TAP version 14\n1..2\nnot ok 1 - a # TODO b\n  ---\n  c: d\n  ...\n    ok 1\n    1..1\nok 2\n",
        "\u{3F}TAP version 13\n1..3\n# TAP version 13\n# 1..1\n# ok 1 a\nok 1 b\nBail out! c\n1..0 # SKIP d\n",
        "\u{80}{\"apusTestReport\":1,\"runs\":[{\"name\":\"a\",\"results\":[{\"name\":\"b\",\"outcome\":\"failed\"}]}]}",
      ].map { Array($0.utf8) }
    case "FuzzAgent":
      [
        [40, 1, 2, 0xFE] + AgentFrame(stream: 0, kind: 64, payload: [1, 0, 0, 0, 0, 0, 0, 0]).bytes
          + AgentFrame(stream: 1, kind: 66, payload: Array("words".utf8)).bytes + [5, 0, 0, 0, 1, 0xFE]
          + AgentFrame(stream: 1, kind: 69, payload: [0, 0, 0, 0]).bytes,
        [3, 0xFE, 0xFF, 0xFF, 0, 0, 1, 0, 0, 0, 66, 0, 0, 0, 9, 0xFE, 0xFF, 1, 2, 3],
      ]
    case "FuzzControl": ControlSeeds.server
    case "FuzzControlClient": ControlSeeds.client
    case "FuzzControlWords": ControlSeeds.words
    case "FuzzQEMUSyntax": ExerciseQEMUSyntax.seeds
    case "FuzzCPUModel": ExerciseCPUModel.seeds
    default: nil
    }
  }

  /// Walks of four levels of 4 KiB pages, of three of 16 KiB, and of two of 64 KiB.
  private static var translations: [[UInt8]] {
    [
      [1, 0x5_B550_3510, 0x1000, 0x2000, 0xFFFF_8000_8000_1234, 0x3003, 0x4003, 0x5003, 0x6003],
      [1, 0x5_4011_8011, 0x8000, 0x8000, 0x5_0000_0123, 0x1_0003, 0x2_0003, 0x3_0003],
      [1, 0x6_C00C_400C, 0x8_0000, 0x8_0000, 0x400_0000_1234, 0x9_0003, 0x2000_0001],
    ].map { words in
      words.flatMap { (word: UInt64) in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }
  }

  /// What dtc makes of an overlay that refers to labels, and to itself.
  private static func overlay(byPath: Bool) -> [UInt8] {
    var tree = DeviceTreeWriter()
    tree.node("") { root in
      root.node("fragment@0") { fragment in
        if byPath { fragment.property("target-path", "/bus") } else { fragment.property("target", cells: [.max]) }
        fragment.node("__overlay__") { overlay in
          overlay.property("status", "okay")
          overlay.node("new", phandle: 1) { $0.property("clocks", cells: [.max, 3, 1]) }
        }
      }
      root.node("__fixups__") { fixups in
        if !byPath { fixups.property("bus", "/fragment@0:target:0") }
        fixups.property("clk", "/fragment@0/__overlay__/new:clocks:0")
      }
      root.node("__local_fixups__") { fixups in
        fixups.node("fragment@0") { fragment in
          fragment.node("__overlay__") { overlay in overlay.node("new") { $0.property("clocks", cells: [8]) } }
        }
      }
      root.node("__symbols__") { $0.property("new", "/fragment@0/__overlay__/new") }
    }
    do {
      return try tree.finish()
    } catch {
      fatalError("a seed is a whole tree: \(error)")
    }
  }

  /// Asks for each message of an SCMI protocol with two words, as records of agent and length, pause, message.
  private static func enumeration(of identifier: UInt8) -> [UInt8] {
    (0...0x10 as ClosedRange<UInt8>).flatMap { message -> [UInt8] in
      let header: [UInt8] = [message, identifier << 2, identifier >> 6, 0]
      return [12, 1] + header + [0, 0, 0, 0, 1, 0, 0, 0]
    }
  }

  /// The queue of a hostile driver as it stands in memory.
  private static func memory(of hostile: HostileChain) -> [UInt8] {
    guard let machine = try? TestMachine(EchoDevice(), windowSize: 0x10000) else { return [] }
    var queue = DriverQueue(machine, index: 0, size: 8, at: machine.windowStart)
    hostile.build(on: &queue, buffer: machine.windowStart + 0x200)
    // Indirect descriptors, event indices, a queue of 8.
    return [0x0F] + machine.bytes(at: machine.windowStart, count: 0x400)
  }

  /// A driver's way from reset to DRIVER_OK.
  private static func registers(reset: Bool) -> [UInt8] {
    func write(_ register: UInt64, _ value: UInt8) -> [UInt8] { [0, UInt8(register), value] }
    let features: [UInt8] =
      write(Register.driverFeaturesSel, 1) + write(Register.driverFeatures, 3) + write(Register.driverFeaturesSel, 0)
    let queue: [UInt8] =
      write(Register.queueSize, 8)
      + [4, UInt8(Register.queueDescLow), 0, 0] + [4, UInt8(Register.queueDriverLow), 0, 1]
      + [4, UInt8(Register.queueDeviceLow), 0, 2] + write(Register.queueReady, 1)
    let seed =
      write(Register.status, 1) + write(Register.status, 3) + features + write(Register.status, 11) + queue
      + write(Register.status, 15) + write(Register.queueNotify, 0)
    return reset ? seed + write(Register.status, 0) + seed : seed
  }

  private static func write(_ bytes: [UInt8], to path: String) -> Bool {
    // SAFETY: the file is this function's own; the bytes live for the call.
    guard let file = unsafe fopen(path, "w") else { return false }
    let written = unsafe fwrite(bytes, 1, bytes.count, file)
    return unsafe fclose(file) == 0 && written == bytes.count
  }
}
