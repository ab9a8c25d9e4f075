// swift-tools-version: 6.2

import PackageDescription

/// A package as somebody has it whose driver is tested with Apus: it depends on the library by path, and sees no more
/// of it than its products. `Tests/ExternalPackage/run` builds it and runs its tests.
let package = Package(
  name: "driver",
  dependencies: [.package(name: "apus", path: "../..")],
  targets: [
    .testTarget(
      name: "DriverTests",
      dependencies: [
        .product(name: "Apus", package: "apus"), .product(name: "ApusTesting", package: "apus"),
        .product(name: "SCMI", package: "apus"),
      ],
      exclude: ["Files"]
    )
  ]
)
