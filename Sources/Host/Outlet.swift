internal import CHost
internal import Glibc
internal import Synchronization

/// A descriptor that is written to, and never waited for.
///
/// Who writes here is a machine's device thread or a vCPU, and what reads at the other end may stop for good. Where a
/// description of our own with O_NONBLOCK does, writes go straight to it. Where it does not (a file whose disk may have
/// died, a terminal of another user), they go through a ring to a thread that may wait alone, and that starts with the
/// first byte. For any thread, but for ``offer(_:)`` and ``room``, which are for one.
@safe
package final class Outlet: @unchecked Sendable {
  // SAFETY: @unchecked: what changes is behind the mutex, or for the one thread that offers; the ring's memory lives as
  // long as the object, which the writing thread holds. A part of the ring belongs to the writing thread from when
  // bytes were appended until it has counted them as written, and to whoever appends otherwise.

  private let capacity: Int
  private let state: Mutex<State>
  private let work = Gate()
  /// Made with the first bytes that have to wait, which most outlets never have.
  private var ring: UnsafeMutableRawPointer?
  private let roomEvent = Mutex<SharedEventDescriptor?>(nil)
  private let becameIdle = Mutex(Idle())

  /// A closure behind a mutex has to be in a type of its own: bare, each look would wrap it once more.
  private struct Idle: Sendable {
    var body: (@Sendable () -> Void)?
  }

  private struct State: ~Copyable {
    /// A standard stream that has yet to be opened for writing, which nobody needs who writes nothing.
    var unopened: Int32?
    /// What is ours.
    var owned: OwnedDescriptor?
    /// What is written to.
    var number: Int32 = -1
    var isSocket = false
    /// Whether writes may wait: then they are the thread's.
    var mayWait = false
    /// How often a descriptor had no room that poll calls writable.
    var refusals = 0
    var head = 0
    var count = 0
    var isRunning = false
    var isClosed = false
    var wantsRoom = false
    var failure: Int32 = 0

    init(unopened: Int32) {
      self.unopened = unopened
    }

    init(_ descriptor: consuming OwnedDescriptor, _ output: chost_output) {
      number = descriptor.rawValue
      owned = consume descriptor
      isSocket = output.is_socket
      mayWait = output.may_wait
    }

    mutating func letGo() {
      owned = nil
      number = -1
    }

    /// Opens a standard stream. Where there are no descriptors left the stream itself is written to, by the thread.
    mutating func open() {
      guard let original = unopened else { return }
      unopened = nil
      var output = chost_output()
      // SAFETY: the structure holds for the call.
      guard unsafe chost_output_open(original, &output) == 0 else {
        (number, mayWait) = (original, true)
        return
      }
      self = State(OwnedDescriptor(owning: output.descriptor), output)
    }
  }

  /// What one write of the thread has at most: what a person sees come in one piece.
  private static let pieceSize = 4096
  /// How long the thread waits for room before it looks whether it is still wanted, in milliseconds.
  private static let look: Int32 = 100
  /// How long it leaves a descriptor alone that is writable and takes nothing, in milliseconds: a terminal with room
  /// for one character, and a line feed that becomes two.
  private static let refusalPause: Int32 = 10
  private static let refusalLimit = 4

  /// An outlet to one of the process's standard streams, which is opened with the first byte.
  ///
  /// - Parameter capacity: of the ring, in bytes.
  package convenience init(standardStream number: Int32, capacity: Int = 64 << 10) {
    self.init(State(unopened: number), capacity)
  }

  /// An outlet to what stands behind somebody else's descriptor.
  ///
  /// - Throws: where the host gives no descriptor of our own for it.
  package convenience init(sharing original: Int32, capacity: Int = 64 << 10) throws(HostError) {
    var output = chost_output()
    // SAFETY: the structure holds for the call.
    let error = unsafe chost_output_open(original, &output)
    guard error == 0 else {
      throw HostError("writing to descriptor \(original)", errno: -error, advice: HostError.tooManyDescriptors)
    }
    self.init(State(OwnedDescriptor(owning: output.descriptor), output), capacity)
  }

  /// An outlet to a descriptor of our own, which has O_NONBLOCK.
  package convenience init(owning descriptor: consuming OwnedDescriptor, capacity: Int = 64 << 10) {
    var output = chost_output()
    // SAFETY: the structure holds for the call, which fails for no descriptor that is open.
    _ = unsafe chost_output_describe(descriptor.rawValue, &output)
    self.init(State(descriptor, output), capacity)
  }

  private init(_ state: consuming State, _ capacity: Int) {
    self.capacity = capacity
    self.state = Mutex(state)
  }

  deinit {
    unsafe ring?.deallocate()
  }

  /// What is written to, and may be read from where it can be; -1 before a standard stream was opened.
  package var rawValue: Int32 { state.withLock { $0.number } }

  /// Has something done whenever the writing thread has written everything, on that thread.
  package func whenIdle(_ body: @escaping @Sendable () -> Void) {
    becameIdle.withLock { $0.body = body }
  }

  /// How many bytes have been taken and are not written yet.
  package var pending: Int { state.withLock { $0.count } }

  /// Why nothing can be written any more, or 0.
  package var failure: Int32 { state.withLock { $0.failure } }

  // MARK: For one thread, which can wait for room

  /// Takes what goes at once.
  ///
  /// - Returns: how many bytes, at least 1, or minus errno: -EAGAIN where there is no room; ``room`` tells when there
  ///   is.
  package func offer(_ bytes: UnsafeRawBufferPointer) -> Int {
    let (result, isNew) = state.withLock { state -> (Int, Bool) in
      if state.failure != 0 { return (-Int(state.failure), false) }
      if state.isClosed { return (-Int(EBADF), false) }
      state.open()
      if !state.mayWait, state.count == 0 {
        // SAFETY: the bytes are valid for the call.
        let written = unsafe Self.write(bytes, to: state.number, isSocket: state.isSocket)
        if written == -Int(EAGAIN), chost_wait(state.number, Int16(POLLOUT), 0) {
          // Whoever waits for room would come back at once.
          state.refusals += 1
          if state.refusals == Self.refusalLimit { state.mayWait = true }
        } else if written >= 0 {
          state.refusals = 0
        }
        return (written, false)
      }
      let count = min(bytes.count, capacity - state.count)
      guard count > 0 else {
        state.wantsRoom = true
        return (-Int(EAGAIN), false)
      }
      // SAFETY: so many bytes fit, as was seen.
      unsafe append(UnsafeRawBufferPointer(rebasing: bytes[..<count]), &state)
      return (count, start(&state))
    }
    if isNew { startThread() }
    return result
  }

  /// Something that is ready when an output has room.
  package struct Room {
    /// What to watch, open as long as the outlet.
    package let descriptor: Int32
    /// As epoll and poll have them.
    package let events: UInt32

    package init(descriptor: Int32, events: UInt32) {
      self.descriptor = descriptor
      self.events = events
    }

    /// The output's own descriptor.
    package init(ofDescriptor descriptor: Int32) {
      self.init(descriptor: descriptor, events: EPOLLOUT.rawValue)
    }

    /// Waits until there is room, for so many milliseconds at most; a negative number is for ever.
    package func wait(milliseconds: Int32) {
      _ = chost_wait(descriptor, Int16(truncatingIfNeeded: events), milliseconds)
    }
  }

  /// What to watch for room, or until everything is written: a descriptor and what to wait for.
  package var room: Room {
    let isDirect = state.withLock { state in
      if state.mayWait || state.count > 0 { state.wantsRoom = true }
      return !state.wantsRoom
    }
    if isDirect { return Room(ofDescriptor: rawValue) }
    let event = roomEvent.withLock { event in
      if event == nil { event = try? SharedEventDescriptor(EventDescriptor()) }
      return event
    }
    // Without an event the descriptor itself stands in: it may be writable too early, and never too late.
    guard let event else { return Room(ofDescriptor: rawValue) }
    // Room may have come before there was an event.
    if state.withLock({ !$0.wantsRoom || $0.count == 0 }) { event.value.signal() }
    return Room(descriptor: event.value.rawValue, events: EPOLLIN.rawValue)
  }

  /// Takes note that ``room`` was ready.
  package func answerRoom() {
    roomEvent.withLock { $0 }?.value.clear()
  }

  // MARK: For any thread, which never waits

  /// Takes all of the bytes, or none where they do not fit.
  ///
  /// - Returns: whether they were taken. Where nothing can be written any more they are, and are lost.
  package func append(_ bytes: [UInt8]) -> Bool {
    let (isTaken, isNew) = state.withLock { state -> (Bool, Bool) in
      guard state.failure == 0, !state.isClosed else { return (true, false) }
      state.open()
      var rest = bytes[...]
      if !state.mayWait, state.count == 0 {
        // SAFETY: the buffer holds for the call.
        let written = unsafe rest.withUnsafeBytes {
          unsafe Self.write($0, to: state.number, isSocket: state.isSocket)
        }
        if written < 0, written != -Int(EAGAIN) {
          state.failure = Int32(-written)
          return (true, false)
        }
        rest = rest.dropFirst(max(0, written))
        if rest.isEmpty { return (true, false) }
      }
      guard rest.count <= capacity - state.count else { return (false, false) }
      // SAFETY: the buffer holds for the call.
      unsafe rest.withUnsafeBytes { unsafe append($0, &state) }
      return (true, start(&state))
    }
    if isNew { startThread() }
    return isTaken
  }

  /// Waits until everything is written, or nothing can be.
  ///
  /// - Parameters:
  ///   - deadline: until when at most, in nanoseconds of the monotonic clock.
  ///   - shouldStop: looked at meanwhile.
  /// - Returns: whether nothing is left.
  @discardableResult
  package func finish(by deadline: UInt64, shouldStop: () -> Bool = { false }) -> Bool {
    while true {
      let isDone = state.withLock { $0.count == 0 || $0.failure != 0 }
      if isDone { return true }
      if HostClock.monotonic >= deadline || shouldStop() { return false }
      chost_pause(1)
    }
  }

  /// Lets go of the descriptor. A thread that is writing does so when what it waits for answers, and is left alone.
  package func close() {
    let isRunning = state.withLock { state in
      state.isClosed = true
      if state.count == 0 { state.letGo() }
      return state.isRunning
    }
    if isRunning { work.open() }
  }

  // MARK: The ring

  /// - Precondition: it fits.
  @unsafe
  private func append(_ bytes: UnsafeRawBufferPointer, _ state: inout State) {
    guard let base = bytes.baseAddress else { return }
    let ring = unsafe ring ?? .allocate(byteCount: capacity, alignment: 16)
    unsafe self.ring = ring
    let tail = (state.head + state.count) % capacity
    let first = min(bytes.count, capacity - tail)
    // SAFETY: both parts are inside the ring and free.
    unsafe (ring + tail).copyMemory(from: base, byteCount: first)
    unsafe ring.copyMemory(from: base + first, byteCount: bytes.count - first)
    state.count += bytes.count
  }

  /// Has the thread look at the ring.
  ///
  /// - Returns: whether it has to be started first.
  private func start(_ state: inout State) -> Bool {
    work.open()
    guard !state.isRunning else { return false }
    state.isRunning = true
    return true
  }

  private func startThread() {
    do {
      try HostThread.startDetached(name: "writer") { self.writeAll() }
    } catch {
      state.withLock { $0.failure = error.errno }
      signalRoom()
    }
  }

  private func signalRoom() {
    roomEvent.withLock { $0 }?.value.signal()
  }

  @unsafe
  private static func write(_ bytes: UnsafeRawBufferPointer, to number: Int32, isSocket: Bool) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    // SAFETY: the buffer is the caller's and its size goes along.
    let written = unsafe Int(chost_output_write(number, isSocket, base, bytes.count))
    return written == 0 ? -Int(EAGAIN) : written
  }

  /// The body of the writing thread. It allocates nothing.
  private func writeAll() {
    let (number, isSocket) = state.withLock { ($0.number, $0.isSocket) }
    while true {
      work.wait()
      while true {
        let (isClosed, head, count) = state.withLock { state in
          if state.isClosed { state.letGo() }
          return (state.isClosed, state.head, state.count)
        }
        if isClosed { return }
        guard count > 0, let ring = unsafe ring else { break }
        let piece = min(count, capacity - head, Self.pieceSize)
        // SAFETY: the part is inside the ring, and this thread's until it is counted as written.
        let written = unsafe Self.write(
          UnsafeRawBufferPointer(start: ring + head, count: piece),
          to: number,
          isSocket: isSocket
        )
        if written == -Int(EAGAIN) {
          // Writable and without room for it: there is no telling when that changes.
          if chost_wait(number, Int16(POLLOUT), 0) { chost_pause(Self.refusalPause) }
          _ = chost_wait(number, Int16(POLLOUT), Self.look)
          continue
        }
        note(written)
      }
    }
  }

  private func note(_ written: Int) {
    let (isIdle, wantsRoom) = state.withLock { state in
      if written < 0 {
        state.failure = Int32(-written)
        state.count = 0
      } else {
        state.head = (state.head + written) % capacity
        state.count -= written
      }
      // A ring that starts anew touches no more pages than it needs.
      if state.count == 0 { state.head = 0 }
      let wantsRoom = state.wantsRoom && (state.count == 0 || capacity - state.count >= Self.pieceSize)
      if wantsRoom { state.wantsRoom = false }
      return (state.count == 0, wantsRoom)
    }
    if wantsRoom { signalRoom() }
    if isIdle { becameIdle.withLock { $0.body }?() }
  }
}
