internal import CFuzzer

/// Has libFuzzer run a test with the command line's options, until it is done or finds something.
///
/// - Parameter test: gets an input of so many bytes, and returns 0.
public func runFuzzer(_ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32) {
  var count = CommandLine.argc
  // SAFETY: the arguments live as long as the process.
  var arguments = unsafe CommandLine.unsafeArgv
  _ = unsafe LLVMFuzzerRunDriver(&count, &arguments, test)
}
