// swift-tools-version: 6.2

import PackageDescription

/// The fuzz targets: a package of its own, since it is built and linked with libFuzzer, and nothing else is.
///
/// Build it with `Tests/Fuzz/build`, which also has the sanitizers instrument what is under test.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

func fuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["FuzzSupport", .product(name: "VirtioTesting", package: "apus")],
    swiftSettings: strict
  )
}

func scmiFuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["FuzzSupport", .product(name: "SCMIFuzzing", package: "apus")],
    swiftSettings: strict
  )
}

func debuggerFuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["FuzzSupport", .product(name: "DebuggerTesting", package: "apus")],
    swiftSettings: strict
  )
}

func controlFuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["FuzzSupport", .product(name: "ControlTesting", package: "apus")],
    swiftSettings: strict
  )
}

func messagesFuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["FuzzSupport", .product(name: "MessagesTesting", package: "apus")],
    swiftSettings: strict
  )
}

func vhostUserFuzzTarget(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["FuzzSupport", .product(name: "VhostUserTesting", package: "apus")],
    swiftSettings: strict
  )
}

let package = Package(
  name: "Fuzz",
  dependencies: [.package(name: "apus", path: "../..")],
  targets: [
    .target(name: "CFuzzer"),
    .target(
      name: "FuzzSupport",
      dependencies: ["CFuzzer", .product(name: "VirtioTesting", package: "apus")],
      swiftSettings: strict
    ),
    fuzzTarget("FuzzVirtqueue"),
    fuzzTarget("FuzzVirtioMMIO"),
    fuzzTarget("FuzzBlock"),
    fuzzTarget("FuzzConsole"),
    fuzzTarget("FuzzNetwork"),
    fuzzTarget("FuzzEntropy"),
    fuzzTarget("FuzzMemory"),
    fuzzTarget("FuzzIOMMU"),
    scmiFuzzTarget("FuzzSCMISession"),
    scmiFuzzTarget("FuzzSCMIFile"),
    scmiFuzzTarget("FuzzSCMIDecoder"),
    .executableTarget(
      name: "FuzzSCMIDevice",
      dependencies: [
        "FuzzSupport", .product(name: "SCMIFuzzing", package: "apus"), .product(name: "VirtioTesting", package: "apus"),
      ],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzRM",
      dependencies: ["FuzzSupport", .product(name: "ResourceManagerTesting", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzSecondaryTree",
      dependencies: ["FuzzSupport", .product(name: "SecondaryTreeTesting", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzDeviceTreeOverlay",
      dependencies: ["FuzzSupport", .product(name: "DeviceTree", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzBootImage",
      dependencies: ["FuzzSupport", .product(name: "BootImageTesting", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzHarness",
      dependencies: ["FuzzSupport", .product(name: "ApusHarness", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzAgent",
      dependencies: ["FuzzSupport", .product(name: "AgentProtocol", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzSnapshot",
      dependencies: ["FuzzSupport", .product(name: "SnapshotTesting", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzGunyahFile",
      dependencies: ["FuzzSupport", .product(name: "GunyahTesting", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzGunyah",
      dependencies: ["FuzzSupport", .product(name: "GunyahTesting", package: "apus")],
      swiftSettings: strict
    ),
    debuggerFuzzTarget("FuzzDebugger"),
    debuggerFuzzTarget("FuzzTranslation"),
    messagesFuzzTarget("FuzzMessagesDevice"),
    messagesFuzzTarget("FuzzMessagesServer"),
    .executableTarget(
      name: "FuzzQEMUSyntax",
      dependencies: ["FuzzSupport", .product(name: "QEMUTesting", package: "apus")],
      swiftSettings: strict
    ),
    .executableTarget(
      name: "FuzzCPUModel",
      dependencies: ["FuzzSupport", .product(name: "CPUModelTesting", package: "apus")],
      swiftSettings: strict
    ),
    controlFuzzTarget("FuzzControl"),
    controlFuzzTarget("FuzzControlClient"),
    controlFuzzTarget("FuzzControlWords"),
    vhostUserFuzzTarget("FuzzVhostUser"),
    vhostUserFuzzTarget("FuzzVhostUserDevice"),
    .executableTarget(
      name: "FuzzSeeds",
      dependencies: [
        "FuzzSupport", .product(name: "AgentProtocol", package: "apus"),
        .product(name: "BootImageTesting", package: "apus"),
        .product(name: "ControlTesting", package: "apus"), .product(name: "DebuggerTesting", package: "apus"),
        .product(name: "DeviceTree", package: "apus"), .product(name: "GunyahTesting", package: "apus"),
        .product(name: "MessagesTesting", package: "apus"),
        .product(name: "QEMUTesting", package: "apus"), .product(name: "CPUModelTesting", package: "apus"),
        .product(name: "ResourceManagerTesting", package: "apus"),
        .product(name: "SecondaryTreeTesting", package: "apus"),
        .product(name: "SnapshotTesting", package: "apus"),
        .product(name: "VhostUserTesting", package: "apus"),
        .product(name: "VirtioTesting", package: "apus"),
      ],
      swiftSettings: strict
    ),
  ]
)
