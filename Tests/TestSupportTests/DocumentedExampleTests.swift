import TestSupport
import Testing

@Suite("Examples in the documentation")
struct DocumentedExampleTests {
  private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  @Test(
    "the pages about tests with guests show what is compiled and run",
    arguments: ["Documentation/ApusTesting.md", "Sources/ApusTesting/ApusTesting.docc/TestADriver.md"]
  )
  func apusTesting(page: String) throws {
    let package = ["Package", "Tests/DriverTests/MyGuest", "Tests/DriverTests/GuestTests"]
    let files =
      package.map { "ExternalPackage/\($0)" } + [
        "ExternalPackage/Tests/DriverTests/ClockDriverTests", "GuestTests/ApusTestingExampleTests",
      ]
    let sources = files.map { lines("Tests/\($0).swift") }

    let blocks = lines(page).split(separator: "```swift").dropFirst().map { $0.prefix { $0 != "```" } }

    #expect(blocks.count > 2)
    for block in blocks {
      let isThere = sources.contains { source in
        source.indices.contains { source[$0...].starts(with: block) }
      }
      #expect(isThere, "\(block.first ?? "") and what follows it")
    }
  }

  private func lines(_ path: String) -> [Substring] {
    HostFiles.text("\(Self.root)/\(path)").split(separator: "\n", omittingEmptySubsequences: false)
  }

  @Test("the page about Gunyah shows the fleet's file that is run")
  func gunyahFleet() {
    let example = HostFiles.text("\(Self.root)/Documentation/Examples/Gunyah/fleet.json")

    #expect(HostFiles.text("\(Self.root)/Documentation/Gunyah.md").contains("```json\n\(example)```"))
    #expect(example.count > 500)
  }

  @Test("the page of the control socket shows the script that is run")
  func controlScript() throws {
    let page = HostFiles.text("\(Self.root)/Documentation/Control.md")
      .split(separator: "\n", omittingEmptySubsequences: false)
    let script = HostFiles.text("\(Self.root)/Documentation/Examples/control.py")
      .split(separator: "\n", omittingEmptySubsequences: false)

    let shown = page.drop { $0 != "```python" }.dropFirst().prefix { $0 != "```" }

    #expect(shown.count > 5)
    #expect(shown.count <= 30)
    #expect(firstDifference(shown, script.dropLast()) == nil)
  }
}
