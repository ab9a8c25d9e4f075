import ArgumentParser

/// The names of the commands.
enum CommandNames {
  /// What to say of a word in a command's place that is the name of none.
  ///
  /// The argument parser speaks of the option behind it, or gives the help of the commands that it knows.
  static func mistake(in words: [String]) -> String? {
    var path: [String] = []
    var command: any ParsableCommand.Type = ApusCommand.self
    // `help`, which takes the other words for names, is the argument parser's own.
    for word in words.drop(while: { $0 == "help" }) {
      let commands = command.configuration.subcommands
      if commands.isEmpty || word.utf8.starts(with: "-".utf8) { return nil }
      guard let next = commands.first(where: { $0._commandName == word }) else {
        let names = commands.map { (path + [$0._commandName]).joined(separator: " ") }
        return mistake((path + [word]).joined(separator: " "), names)
      }
      path.append(word)
      command = next
    }
    return nil
  }

  private static func mistake(_ word: String, _ names: [String]) -> String {
    let near = names.map { (name: $0, distance: distance($0, word)) }.min { $0.distance < $1.distance }
    if let near, near.distance <= 2 { return "There is no command '\(word)'; did you mean '\(near.name)'?" }
    return "There is no command '\(word)'; give one of \(names.joined(separator: ", "))."
  }

  /// How many letters have to be added, left out or changed to make one word of the other.
  private static func distance(_ one: String, _ other: String) -> Int {
    var row = Array(0...other.utf8.count)
    for letter in one.utf8 {
      var diagonal = row[0]
      row[0] += 1
      for (place, otherLetter) in other.utf8.enumerated() {
        let changed = diagonal + (letter == otherLetter ? 0 : 1)
        diagonal = row[place + 1]
        row[place + 1] = min(changed, row[place] + 1, diagonal + 1)
      }
    }
    return row[other.utf8.count]
  }
}
