extension Configuration {
  /// The command line that the kernel gets: where hvc0 is the console and nobody says which is, it says so.
  ///
  /// In front: what stands behind a word `--` is not the kernel's.
  var kernelCommandLine: String {
    guard consoleDevice?.carriesConsole == true, !Self.namesConsole(commandLine) else { return commandLine }
    return commandLine.isEmpty ? "console=hvc0" : "console=hvc0 " + commandLine
  }

  /// Whether a kernel would find a console in its command line. Spaces between quotation marks part no words.
  private static func namesConsole(_ commandLine: String) -> Bool {
    var isQuoted = false
    let words = commandLine.utf8.split { byte in
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      return !isQuoted && (byte == 0x20 || 0x09...0x0D ~= byte)
    }
    for word in words {
      if word.elementsEqual("--".utf8) { return false }
      if word.starts(with: "console=".utf8) { return true }
    }
    return false
  }
}
