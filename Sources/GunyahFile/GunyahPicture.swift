import Gunyah
internal import PositionedJSON

/// Who asked whom, as a picture of text: a column for each machine and one for the resource manager, time from top to
/// bottom.
public enum GunyahPicture {
  /// The picture, line by line.
  ///
  /// What a machine sends to the manager and fetches from it is drawn as messages, and not again as calls. What comes
  /// again and again, alone or as a pattern of up to ``patternLimit`` lines, is drawn once and counted. Where there is
  /// no room for all columns a machine that is not seen any more leaves its own to another one, under a heading of its
  /// own, and the last line says which machines have none.
  ///
  /// - Parameters:
  ///   - lines: of one transcript, in order.
  ///   - width: of a line, in characters. What has no room is cut.
  ///   - advice: what to do where there is no room for all columns.
  ///   - isChosen: which lines are drawn.
  public static func lines(
    _ lines: [GunyahLine],
    width: Int = 100,
    advice: String = "choose machines, or give more width",
    where isChosen: (GunyahLine) -> Bool = { _ in true }
  ) -> [String] {
    var rows = rows(lines, isChosen)
    let timeWidth = max(7, rows.last.map { GunyahLine.microseconds($0.time).count } ?? 0)
    let columns = Columns(&rows, names(lines), room: width - timeWidth - 4 - labelWidth)
    let room = max(labelWidth, width - timeWidth - 4 - columns.width)
    func drawn(_ row: Row, _ suffix: String = "") -> String {
      let place = GunyahLine.microseconds(row.time).right(in: timeWidth) + "  " + columns.drawing(of: row)
      return place + "  " + (columns.label(of: row).cut(to: room - suffix.count) + suffix).trimmed
    }
    let blank = String(repeating: " ", count: timeWidth)
    var holders = columns.holders(at: 0)
    var picture = [("time/us".right(in: timeWidth) + "  " + columns.heading(holders)).trimmed]
    func add(_ row: Row, _ suffix: String = "") {
      if !columns.hasAll(of: row, holders) {
        holders = columns.holders(at: row.number)
        picture.append((blank + "  " + columns.heading(holders)).trimmed)
      }
      picture.append(drawn(row, suffix))
    }
    var index = 0
    while index < rows.count {
      let (length, count) = repetition(rows, index)
      let last = rows[index + length * count - 1]
      if length == 1 {
        add(rows[index], count > 1 ? "  (\(count) times)" : "")
      } else {
        for row in rows[index..<index + length] { add(row) }
        let time = GunyahLine.microseconds(last.time).right(in: timeWidth)
        picture.append(time + "  " + columns.lifelines + "  … these \(length) lines \(count) times in all")
      }
      index += length * count
    }
    return picture + columns.omission(width, advice)
  }

  /// How many lines a pattern has at most.
  public static let patternLimit = 8

  /// How many characters are kept for what is said of an arrow.
  private static let labelWidth = 24

  /// What there is to draw, with notes of lines that are missing.
  private static func rows(_ lines: [GunyahLine], _ isChosen: (GunyahLine) -> Bool) -> [Row] {
    var rows: [Row] = []
    var gaps = LineGaps()
    func addNote(_ time: UInt64) {
      guard let note = gaps.note() else { return }
      rows.append(Row(number: rows.count, time: time, own: nil, step: Step(label: note)))
    }
    for line in lines {
      gaps.pass(line.sequence)
      guard isChosen(line), let step = Step(line.record) else { continue }
      addNote(line.record.time)
      rows.append(Row(number: rows.count, time: line.record.time, own: line.record.machine, step: step))
    }
    addNote(lines.last?.record.time ?? 0)
    return rows
  }

  /// The machines' names by their numbers.
  private static func names(_ lines: [GunyahLine]) -> [UInt16: String] {
    var names = [VMID.resourceManager.rawValue: "manager"]
    for line in lines where names[line.record.machine] == nil { names[line.record.machine] = line.name }
    return names
  }

  /// What comes again from `index` on: so many rows, so many times.
  private static func repetition(_ rows: [Row], _ index: Int) -> (length: Int, count: Int) {
    for length in 1...patternLimit {
      var count = 1
      while isSame(rows, index, index + length * count, length) { count += 1 }
      // A pattern that is drawn once and told takes a line more than it has.
      if count > (length == 1 ? 1 : 2) { return (length, count) }
    }
    return (1, 1)
  }

  private static func isSame(_ rows: [Row], _ first: Int, _ second: Int, _ length: Int) -> Bool {
    guard second + length <= rows.count else { return false }
    // Each note is told.
    return (0..<length).allSatisfy { rows[first + $0].own != nil && rows[first + $0].step == rows[second + $0].step }
  }

  fileprivate struct Row {
    /// Counted from 0.
    let number: Int
    let time: UInt64
    /// Whose it is; nil of a note.
    let own: UInt16?
    let step: Step
  }

  /// An arrow, a mark in one column, or a note.
  fileprivate struct Step: Equatable {
    /// The machines' numbers, both the same of a mark; none of a note.
    var from: UInt16?
    var to: UInt16?
    var stroke: Character = " "
    /// Whether nothing came of it.
    var isRefused = false
    var label: String
  }
}

extension GunyahPicture.Step {
  /// What is drawn of a line; nil for a call that messages show.
  fileprivate init?(_ record: GunyahRecord) {
    switch record.content {
    case .message(let message): self.init(message, record.machine)
    case .call(let call): self.init(call, record.machine)
    }
  }

  private init(_ message: GunyahRecord.Message, _ own: UInt16) {
    let manager = VMID.resourceManager.rawValue
    let isToManager = message.direction == .toManager
    let parts = [message.title, message.isRefusal ? message.outcome : nil, message.fieldText]
    self.init(
      from: isToManager ? own : manager,
      to: isToManager ? manager : own,
      stroke: message.kind == .notification ? "~" : "-",
      isRefused: message.isRefusal,
      label: parts.compactMap(\.self).filter { !$0.isEmpty }.joined(separator: " ")
    )
  }

  private init?(_ call: GunyahRecord.Call, _ own: UInt16) {
    let isRefused = call.error != nil
    let moves = call.call == .hypercall(.messageQueueSend) || call.call == .hypercall(.messageQueueReceive)
    if moves, !isRefused, call.peer == VMID.resourceManager.rawValue { return nil }
    let takes = call.call == .hypercall(.messageQueueReceive) || call.call == .hypercall(.doorbellReceive)
    let reaches = call.call == .hypercall(.messageQueueSend) || call.call == .hypercall(.doorbellSend)
    let peer = call.peer ?? own
    // What is only set or looked at is the caller's own.
    let isOfBoth = takes && !isRefused || reaches || call.call == .hypercall(.vcpuRun)
    let (from, to) = !isOfBoth ? (own, own) : takes ? (peer, own) : (own, peer)
    var label = call.title
    if isRefused || call.call == nil { label += " " + call.outcome }
    if let bytes = call.bytes {
      label += " \(bytes.count) bytes"
    } else if call.call == .hypercall(.doorbellSend), call.arguments.count > 1 {
      label += " " + FieldText.hexadecimal(call.arguments[1])
    } else if call.call == .hypercall(.doorbellReceive), !call.outputs.isEmpty {
      label += " " + FieldText.hexadecimal(call.outputs[0])
    }
    self.init(from: from, to: to, stroke: takes ? "." : "=", isRefused: isRefused, label: label)
  }
}

/// The columns of a picture: machines by their numbers, the manager last.
private struct Columns {
  /// Who has a column until when, one behind the other.
  private struct Holder {
    let machine: UInt16
    let rows: ClosedRange<Int>
  }

  private var columns: [[Holder]] = []
  /// The machines' places among the columns.
  private var places: [UInt16: Int] = [:]
  private let names: [UInt16: String]
  private var gap = Self.widestGap
  /// What is left out, and how many lines of it.
  private var omitted: (machines: [UInt16], lines: Int) = ([], 0)

  private static let nameLimit = 16
  private static let widestGap = 12
  private static let narrowestGap = 6

  /// - Parameters:
  ///   - rows: lose those of machines for which there is no room.
  ///   - room: for all columns, in characters.
  init(_ rows: inout [GunyahPicture.Row], _ names: [UInt16: String], room: Int) {
    self.names = names
    let machines = Set(rows.flatMap { [$0.step.from, $0.step.to] }.compactMap(\.self)).sorted(by: Self.isBefore)
    let longest = machines.map { name($0).count }.max() ?? 0
    let narrow = max(Self.narrowestGap, longest + 2)
    /// How far from each other so many columns can be.
    func gap(_ count: Int) -> Int { (room - longest) / max(1, count - 1) }
    if gap(machines.count) >= narrow {
      let span = 0...max(0, rows.count - 1)
      for machine in machines { give(Holder(machine: machine, rows: span), columns.count) }
    } else {
      share(&rows, machines, limit: max(2, (room - longest) / narrow + 1))
    }
    self.gap = max(narrow, min(gap(columns.count), max(Self.widestGap, longest + 2)))
  }

  /// The manager is last.
  private static func isBefore(_ one: UInt16, _ other: UInt16) -> Bool {
    let manager = VMID.resourceManager.rawValue
    return one != manager && (other == manager || one < other)
  }

  /// Gives columns one after another to machines in the order in which they are seen, first to those that do something
  /// themselves.
  private mutating func share(_ rows: inout [GunyahPicture.Row], _ machines: [UInt16], limit: Int) {
    let manager = VMID.resourceManager.rawValue
    let hasManager = machines.last == manager
    let limit = hasManager ? limit - 1 : limit
    func spans(_ machines: Set<UInt16>) -> [Holder] {
      var spans: [UInt16: ClosedRange<Int>] = [:]
      for row in rows {
        for case let machine? in [row.step.from, row.step.to] where machines.contains(machine) {
          spans[machine] = (spans[machine]?.lowerBound ?? row.number)...row.number
        }
      }
      return spans.map { Holder(machine: $0, rows: $1) }.sorted { one, other in
        (one.rows.lowerBound, one.machine) < (other.rows.lowerBound, other.machine)
      }
    }
    let acting = Set(rows.compactMap(\.own)).subtracting([manager])
    for holder in spans(acting) { place(holder, limit) }
    let count = rows.count
    rows.removeAll { row in row.own.map { $0 != manager && places[$0] == nil } ?? false }
    omitted.lines = count - rows.count
    for holder in spans(Set(machines).subtracting(acting).subtracting([manager])) { place(holder, limit) }
    if hasManager { give(Holder(machine: manager, rows: 0...count), columns.count) }
  }

  private mutating func place(_ holder: Holder, _ limit: Int) {
    let column = columns.firstIndex { $0.allSatisfy { !$0.rows.overlaps(holder.rows) } } ?? columns.count
    if column < limit { give(holder, column) } else { omitted.machines.append(holder.machine) }
  }

  private mutating func give(_ holder: Holder, _ column: Int) {
    if column == columns.count { columns.append([]) }
    columns[column].append(holder)
    columns[column].sort { $0.rows.lowerBound < $1.rows.lowerBound }
    places[holder.machine] = column
  }

  private func name(_ machine: UInt16) -> String { (names[machine] ?? "vm \(machine)").cut(to: Self.nameLimit) }

  /// In characters.
  var width: Int {
    let last = columns.last?.map { name($0.machine).count }.max() ?? 0
    return max(0, columns.count - 1) * gap + last
  }

  /// Who has the columns at a row; the next one, where the one before is not seen any more.
  func holders(at row: Int) -> [UInt16] {
    columns.compactMap { holders in (holders.first { $0.rows.upperBound >= row } ?? holders.last)?.machine }
  }

  /// Whether whoever a row is about has its column.
  func hasAll(of row: GunyahPicture.Row, _ holders: [UInt16]) -> Bool {
    [row.step.from, row.step.to].compactMap(\.self).allSatisfy { machine in
      places[machine].map { holders[$0] == machine } ?? true
    }
  }

  func heading(_ holders: [UInt16]) -> String {
    var text = ""
    for (index, machine) in holders.enumerated() { text = text.padded(to: index * gap) + name(machine) }
    return text
  }

  private var blank: [Character] {
    var characters = Array(repeating: Character(" "), count: width)
    for index in columns.indices { characters[index * gap] = "|" }
    return characters
  }

  var lifelines: String { String(blank) }

  func drawing(of row: GunyahPicture.Row) -> String {
    var characters = blank
    let step = row.step
    guard let own = row.own.flatMap({ places[$0] }) else { return lifelines }
    let (from, to) = ((step.from.flatMap { places[$0] } ?? own) * gap, (step.to.flatMap { places[$0] } ?? own) * gap)
    if from == to {
      characters[from] = step.isRefused ? "x" : "*"
    } else {
      for place in min(from, to) + 1..<max(from, to) { characters[place] = step.stroke }
      characters[from < to ? to - 1 : to + 1] = step.isRefused ? "x" : from < to ? ">" : "<"
    }
    return String(characters)
  }

  /// What is said of a row, with the machine that has no column.
  func label(of row: GunyahPicture.Row) -> String {
    let missing = [row.step.from, row.step.to].compactMap(\.self).first { places[$0] == nil }
    return (missing.map { "with \(name($0)): " } ?? "") + row.step.label
  }

  /// What is not drawn, and how to have it.
  func omission(_ width: Int, _ advice: String) -> [String] {
    guard !omitted.machines.isEmpty else { return [] }
    let names = omitted.machines.sorted().map(name)
    let machines = names.count == 1 ? "1 machine" : "\(names.count) machines"
    let leftOut = omitted.lines == 0 ? "" : ", and \(omitted.lines) lines of theirs are left out"
    let text = "… no room for \(machines)\(leftOut); \(advice). Without a column:"
    var lines: [String] = []
    var line = ""
    let words = text.split(separator: " ").map(String.init)
    for word in words + names.dropLast().map({ $0 + "," }) + names.suffix(1) {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = " "
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return lines + [line]
  }
}
