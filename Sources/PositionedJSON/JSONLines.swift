/// Objects of JSON, one to a line, as transcripts are.
package enum JSONLines {
  /// Why a line is none of those that are read.
  package struct Mistake: Error {
    let message: String

    package init(_ message: String) { self.message = message }
  }

  /// Makes of an object what a line says.
  package typealias Reader<Line> = (JSONValue) throws(Mistake) -> Line

  /// Reads each line as an object, until one is none. Empty lines are skipped.
  ///
  /// - Parameters:
  ///   - text: UTF-8.
  ///   - maximumDepth: of a line.
  ///   - maximumSize: of a line, in bytes.
  ///   - make: what a line says.
  /// - Returns: what the lines before the first mistake say; and the mistake, with its line from 1.
  package static func read<Line>(
    _ text: [UInt8],
    maximumDepth: Int = JSONParser.maximumDepth,
    maximumSize: Int = JSONParser.maximumSize,
    _ make: Reader<Line>
  ) -> (lines: [Line], mistake: (line: Int, message: String)?) {
    var lines: [Line] = []
    var number = 0
    for line in text.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      guard let first = line.first(where: { $0 != 0x20 && $0 != 0x0D }) else { continue }
      do throws(Mistake) {
        guard first == UInt8(ascii: "{") else { throw Mistake("expected an object, as each line of a transcript is") }
        let isOpen = line.endIndex == text.endIndex
        lines.append(try make(try object(line, maximumDepth, maximumSize, isOpen: isOpen)))
      } catch {
        return (lines, (number, error.message))
      }
    }
    return (lines, nil)
  }

  /// - Parameter isOpen: whether there is no line feed behind the line.
  private static func object(
    _ line: ArraySlice<UInt8>,
    _ maximumDepth: Int,
    _ maximumSize: Int,
    isOpen: Bool
  ) throws(Mistake) -> JSONValue {
    do throws(JSONError) {
      return try JSONParser.parse(Array(line), maximumDepth: maximumDepth, maximumSize: maximumSize)
    } catch {
      let isCut = isOpen && error.position.column > line.count
      let place = "column \(error.position.column): \(error.message)"
      throw Mistake(isCut ? "it is cut, as where its writer was ended (\(place))" : place)
    }
  }
}

/// Finds the lines that a transcript lacks, by their numbers.
package struct LineGaps: Sendable {
  private var next: UInt64?
  private var count: UInt64 = 0

  package init() {}

  /// Looks at a line's number. One that is less than expected is another transcript's, behind the one before.
  package mutating func pass(_ number: UInt64) {
    if let next, number > next { count &+= number - next }
    next = number &+ 1
  }

  /// What to say of lines that were missing since the note before; nil where none was.
  package mutating func note() -> String? {
    defer { count = 0 }
    switch count {
    case 0: return nil
    case 1: return "… 1 line is missing here"
    default: return "… \(count) lines are missing here"
    }
  }
}
