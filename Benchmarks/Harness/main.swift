import ApusHarness

/// Reads KTAP as a guest's console gives it. Run under a counter of instructions with two counts: the difference is
/// what the lines cost.
///
///     HarnessBenchmark LINES

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 1 else { fatalError("usage: HarnessBenchmark LINES") }

/// A suite of ten cases as KUnit prints it with time stamps: of 34 lines 11 are results, and 20 are diagnostics or
/// messages of the kernel's that mean nothing.
func suite(fails: Bool) -> String {
  let stamp = "[   12.345678] "
  var text = stamp + "    KTAP version 1\n" + stamp + "    # Subtest: suite\n" + stamp + "    1..10\n"
  for place in 1...10 {
    text += stamp + "    # case_\(place): initializing\n"
    text += stamp + "random: something else that the kernel has to say in the meantime\n"
    text += stamp + "    \(fails && place == 7 ? "not ok" : "ok") \(place) case_\(place)_of_suite\n"
  }
  return text + stamp + (fails ? "not ok " : "ok ")
}

/// In a function: accesses to global variables would be checked for exclusivity, and counted.
func run(lines: Int) -> Int {
  var limits = TAPLimits()
  limits.results = lines
  var reader = TAPReader(limits: limits)
  reader.read(Array("[   12.345678] KTAP version 1\n[   12.345678] 1..1000000\n".utf8))
  let passing = Array(suite(fails: false).utf8)
  let failing = Array(suite(fails: true).utf8)
  for number in 0..<lines / 34 {
    reader.read(number % 10 == 9 ? failing : passing)
    reader.read(Array("\(number + 1) suite\n".utf8))
  }
  return reader.finish().results.count
}

print(run(lines: arguments[0]))
