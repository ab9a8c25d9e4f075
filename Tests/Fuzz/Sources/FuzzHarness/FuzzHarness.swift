internal import ApusHarness
internal import FuzzSupport

// The first byte chooses what the rest is: a console, in pieces of so many bytes, or a report. What is read is written
// in each form; what was written as JSON has to be read as it was.

private func fuzzHarness(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  // SAFETY: libFuzzer gives as many bytes as it says.
  var input = unsafe ByteReader(start, count)
  let bytes = input.bytes(count)
  guard let first = bytes.first else { return 0 }
  let rest = Array(bytes.dropFirst())
  if first >= 0x80 {
    if let report = try? JSONReader.read(rest) { write(report) }
    return 0
  }
  var limits = TAPLimits()
  limits.results = 100
  limits.depth = 4
  limits.lineLength = 300
  limits.text = 2000
  var reader = TAPReader(limits: limits, beginsAtPlan: first & 1 == 1)
  var scan = KernelLogScan()
  let size = Int(first >> 1) + 1
  var time: UInt64 = 0
  for start in stride(from: 0, to: rest.count, by: size) {
    let piece = Array(rest[start..<min(start + size, rest.count)])
    time += 7
    reader.read(piece, at: time) { _ in }
    scan.read(piece)
  }
  scan.finish()
  let output = reader.finish()
  precondition(output.results.count <= limits.results + 1, "more results than the limit")
  let end = MachineEnd(name: "powered-off", status: 0, message: "")
  write(
    TestReport(runs: [
      TestRun(name: "a", end: end, results: output.results, problems: output.problems, findings: scan.findings)
    ])
  )
  return 0
}

private func write(_ report: TestReport) {
  _ = JUnitWriter.write(report)
  _ = TAPWriter.write(report)
  _ = TextSummary.lines(report)
  guard let again = try? JSONReader.read(JSONWriter.write(report)) else { preconditionFailure("it is not read again") }
  precondition(again == report, "it is read as another")
}

@main
private enum FuzzHarness {
  static func main() {
    // SAFETY: the function keeps to the bytes that it is given.
    unsafe runFuzzer(fuzzHarness)
  }
}
