import ApusControl
import TestSupport
import Testing

/// What the page of the control socket says, held against what there is.
@Suite struct ControlPageTests {
  private static let page = HostFiles.text(
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/Documentation/Control.md"
  )

  @Test func eachMethodHasARowWithItsParameters() {
    let rows = Self.page.split(separator: "\n").filter { $0.hasPrefix("| `") }
    for method in ControlCatalogue.methods {
      let row = rows.first { $0.split(separator: "|")[0].contains("`\(method.name)`") }
      #expect(row != nil, "\(method.name)")
      for parameter in method.parameters {
        #expect(row?.split(separator: "|")[1].contains(parameter.name) == true, "\(method.name): \(parameter.name)")
      }
    }
  }

  @Test func eachNoticeAndEachErrorIsTold() {
    for notice in ControlCatalogue.notices { #expect(Self.page.contains("`\(notice.name)`"), "\(notice.name)") }
    for kind in Control.EventKind.allCases { #expect(Self.page.contains("`\(kind.rawValue)`"), "\(kind)") }
  }

  @Test func theLimitsAreThoseThatHold() {
    #expect(ControlProtocol.version == 1)
    #expect(Self.page.contains("| a line of a client's | \(ControlProtocol.maximumLine >> 20) MiB;"))
    #expect(Self.page.contains("| nesting | \(ControlProtocol.maximumDepth) levels |"))
  }
}
