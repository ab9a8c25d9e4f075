// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "scmi-benchmark",
  dependencies: [.package(name: "apus", path: "../..")],
  targets: [
    .executableTarget(
      name: "SCMIBenchmark",
      dependencies: [.product(name: "SCMI", package: "apus")],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
    )
  ]
)
