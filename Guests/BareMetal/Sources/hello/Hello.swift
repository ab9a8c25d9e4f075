internal import Support

/// Prints a line and powers off.
@_cdecl("guest_main")
func main() {
  Console().put("Hello from bare metal\n")
  Firmware().systemOff()
}
