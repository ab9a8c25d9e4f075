internal import Support

/// Does what its command lines say, and answers each with one line.
@_cdecl("guest_main")
func main() {
  guard var link = Link() else { Firmware().systemOff() }
  var commands = Commands()
  var hello = Answer(at: Memory.answer(of: 0))
  hello.put("puppet")
  link.send(hello)
  while true {
    let line = link.receive(to: Memory.line(of: 0))
    var answer = Answer(at: Memory.answer(of: 0))
    commands.execute(line, &answer)
    link.send(answer)
  }
}
