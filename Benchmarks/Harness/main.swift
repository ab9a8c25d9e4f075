import ApusHarness

/// Reads KTAP as a guest's console gives it. Run under a counter of instructions with two counts: the difference is what
/// the lines cost.
///
///     HarnessBenchmark LINES

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 1 else { fatalError("usage: HarnessBenchmark LINES") }

/// A suite of ten cases as KUnit prints it with time stamps: of 34 lines 10 are results of cases, one fails, and 20 are
/// diagnostics or messages of the kernel's that mean nothing.
func suite(_ number: Int) -> String {
  let stamp = "[   12.345678] "
  var text = stamp + "    KTAP version 1\n" + stamp + "    # Subtest: suite_\(number)\n" + stamp + "    1..10\n"
  for place in 1...10 {
    text += stamp + "    # case_\(place): initializing\n"
    text += stamp + "random: something else that the kernel has to say in the meantime\n"
    text += stamp + "    \(place == 7 ? "not ok" : "ok") \(place) case_\(place)_of_suite\n"
  }
  return text + stamp + "not ok \(number) suite_\(number)\n"
}

/// In a function: accesses to global variables would be checked for exclusivity, and counted.
func run(lines: Int) -> Int {
  var limits = TAPLimits()
  limits.results = lines
  var reader = TAPReader(limits: limits)
  reader.read(Array("[   12.345678] KTAP version 1\n[   12.345678] 1..1000000\n".utf8))
  // The pieces that a serial port gives; one suite is made once.
  let chunk = Array(suite(1).utf8)
  for _ in 0..<lines / 34 { reader.read(chunk) }
  return TestTotals(reader.finish().results)[.failed]
}

print(run(lines: arguments[0]))
