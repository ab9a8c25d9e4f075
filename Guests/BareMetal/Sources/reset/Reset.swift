internal import Support

/// Prints a line and resets the machine.
@_cdecl("guest_main")
func main() {
  Console().put("Resetting\n")
  Firmware().systemReset()
}
