internal import CHost

/// A thread of the host, joined once by its owner.
///
/// Starting it allocates nothing on the new thread and frees nothing there: the C library gives each thread that does
/// either an arena of its own, which is 2 MiB on some hosts, and a vCPU's thread needs neither.
package final class HostThread: Sendable {
  private let handle: chost_thread
  private let body: Body

  private final class Body: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
      self.run = run
    }
  }

  /// Starts a thread, which is to be joined before the value goes.
  ///
  /// - Parameters:
  ///   - name: at most 15 bytes, which tools like top show.
  ///   - body: runs on the new thread.
  /// - Throws: where the host gives no thread.
  package init(name: String, _ body: @escaping @Sendable () -> Void) throws(HostError) {
    self.body = Body(body)
    var handle = chost_thread()
    // SAFETY: the value holds the body until after the thread has been joined; name and handle hold for the call.
    let context = unsafe Unmanaged.passUnretained(self.body).toOpaque()
    // SAFETY: the value holds the body until after the thread has been joined.
    let error = unsafe name.withCString { name in
      unsafe chost_thread_start(
        &handle,
        name,
        { context in
          unsafe Unmanaged<Body>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.run() }
          return nil
        },
        context
      )
    }
    guard error == 0 else { throw Self.refused(error) }
    self.handle = handle
  }

  /// Starts a thread that ends by itself; parameters and errors are those of ``init(name:_:)``.
  package static func startDetached(name: String, _ body: @escaping @Sendable () -> Void) throws(HostError) {
    // SAFETY: the new thread takes it over, or nobody where there is none: see below.
    let context = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
    var handle = chost_thread()
    // SAFETY: the context is retained until the new thread takes it over, exactly once.
    let error = unsafe name.withCString { name in
      unsafe chost_thread_start(
        &handle,
        name,
        { context in
          unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
          return nil
        },
        context
      )
    }
    guard error == 0 else {
      unsafe Unmanaged<Body>.fromOpaque(context).release()
      throw refused(error)
    }
    chost_thread_detach(handle)
  }

  private static func refused(_ error: Int32) -> HostError {
    HostError("pthread_create", errno: error, advice: "raise the limit of processes (ulimit -u)")
  }

  /// Makes the calling thread one that can be kicked.
  package static func prepareForKicks() {
    chost_kick_prepare()
  }

  /// Takes the thread out of a blocking call. Only before ``join()``.
  package func kick() {
    chost_thread_kick(handle)
  }

  /// Waits for the thread's end.
  package func join() {
    chost_thread_join(handle)
  }
}
