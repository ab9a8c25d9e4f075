import Apus

extension Configuration.CPUFeatures: WrittenValue {
  /// Reads a list such as `sve=off,pmu=off`; the word `host` means all that the host has, and the last word wins.
  init?(_ text: String) {
    self.init()
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      switch word {
      case "host": self = Self()
      case "sve=on": sve = true
      case "sve=off": sve = false
      case "pmu=on": pmu = true
      case "pmu=off": pmu = false
      case "pauth=on": pointerAuthentication = true
      case "pauth=off": pointerAuthentication = false
      default: return nil
      }
    }
  }

  var description: String {
    let switches = [("sve", sve), ("pmu", pmu), ("pauth", pointerAuthentication)]
    let missing = switches.filter { !$0.1 }.map { "\($0.0)=off" }
    return missing.isEmpty ? "host" : missing.joined(separator: ",")
  }

  static var form: String { "give host, or some of sve=off, pmu=off and pauth=off with commas between them" }
}
