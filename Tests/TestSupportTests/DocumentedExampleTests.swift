import TestSupport
import Testing

@Suite("Examples in the documentation")
struct DocumentedExampleTests {
  private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  @Test("the page of ApusTesting shows the test that is run")
  func apusTesting() throws {
    let page = HostFiles.text("\(Self.root)/Documentation/ApusTesting.md").split(separator: "\n")
    let source = HostFiles.text("\(Self.root)/Tests/GuestTests/ApusTestingExampleTests.swift").split(separator: "\n")

    let shown = page.drop { $0 != "```swift" }.dropFirst().prefix { $0 != "```" }
    let run = source.drop { !$0.hasSuffix("// The example begins here.") }.dropFirst()
      .prefix { !$0.hasSuffix("// It ends here.") }

    #expect(shown.count > 5)
    #expect(firstDifference(shown, run.map { $0.dropFirst(2) }) == nil)
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
