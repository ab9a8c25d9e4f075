// swift-tools-version: 6.2

import PackageDescription

/// Embedded Swift without a heap. The linker drops what a guest does not use, function by function.
let guest: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Embedded"),
  .unsafeFlags([
    "-Osize", "-no-allocations", "-Xfrontend", "-function-sections", "-Xfrontend", "-disable-stack-protector",
  ]),
]

/// The guests written in Swift, a folder each. `off` is assembly alone and stands for itself.
let guests = [
  "echo", "firmware", "hello", "mmio", "panic", "reset", "secondaries", "spin", "timer", "unmapped",
]

// Each guest is a static library; `build` links it twice, as an ELF executable and as a raw binary, because the two stand at
// different addresses.
let package = Package(
  name: "bare-metal-guests",
  products: (guests + ["off"]).map { .library(name: $0, type: .static, targets: [$0]) },
  targets: [
    .target(name: "Machine", cSettings: [.unsafeFlags(["-ffreestanding", "-O2", "-ffunction-sections"])]),
    .target(name: "Support", dependencies: ["Machine"], swiftSettings: guest),
    .target(name: "off"),
  ]
    + guests.map { .target(name: $0, dependencies: ["Support"], swiftSettings: guest) }
)
