internal import CLinux

/// A thread of the host, joined or detached once by its owner.
final class HostThread: Sendable {
  private let handle: clinux_thread

  private final class Body {
    let run: () -> Void

    init(_ run: @escaping () -> Void) {
      self.run = run
    }
  }

  /// Starts a thread.
  ///
  /// - Parameters:
  ///   - name: at most 15 bytes, which tools like top show.
  ///   - body: runs on the new thread.
  init(name: String, _ body: @escaping @Sendable () -> Void) throws(HostError) {
    let context = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
    var handle = clinux_thread()
    // SAFETY: the context is retained until the new thread takes it over, exactly once.
    let error = unsafe name.withCString { name in
      unsafe clinux_thread_start(
        &handle,
        name,
        { context in unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() },
        context
      )
    }
    guard error == 0 else {
      unsafe Unmanaged<Body>.fromOpaque(context).release()
      throw HostError("pthread_create", errno: error, advice: "raise the limit of processes (ulimit -u)")
    }
    self.handle = handle
  }

  /// Makes the calling thread one that can be kicked.
  static func prepareForKicks() {
    clinux_kick_prepare()
  }

  /// Takes the thread out of a blocking call. Only before ``join()``.
  func kick() {
    clinux_thread_kick(handle)
  }

  /// Waits for the thread's end.
  func join() {
    clinux_thread_join(handle)
  }

  /// Lets the thread end by itself, instead of ``join()``.
  func detach() {
    clinux_thread_detach(handle)
  }
}
