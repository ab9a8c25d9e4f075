#if canImport(Testing)
  internal import Glibc
  public import Testing

  extension Trait where Self == OwnThread {
    /// Tests that may block: see ``OwnThread``.
    public static var ownThread: Self { OwnThread() }
  }

  /// Gives each test threads of its own, on which it may wait for a process, a socket or a file.
  ///
  /// Otherwise tests run on as many threads as the host has processors. Two of them that wait are enough there to keep
  /// all others from looking at what their guests wrote meanwhile, which then seems late.
  public struct OwnThread: TestTrait, SuiteTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
      for _: Test,
      testCase _: Test.Case?,
      performing body: @Sendable () async throws -> Void
    ) async throws {
      try await withTaskExecutorPreference(ThreadForEachJob()) { try await body() }
    }
  }

  /// Runs each job, a task's way from one suspension to the next, on a new thread.
  private final class ThreadForEachJob: TaskExecutor {
    private final class Work: Sendable {
      private let job: UnownedJob
      private let executor: ThreadForEachJob

      init(_ job: UnownedJob, on executor: ThreadForEachJob) {
        self.job = job
        self.executor = executor
      }

      func run() {
        // SAFETY: the job was handed over to be run, and this is the only time.
        unsafe job.runSynchronously(on: executor.asUnownedTaskExecutor())
      }
    }

    func enqueue(_ job: consuming ExecutorJob) {
      // SAFETY: the new thread takes it over below.
      let context = unsafe Unmanaged.passRetained(Work(UnownedJob(job), on: self)).toOpaque()
      var thread = pthread_t()
      // SAFETY: the context is retained until the new thread takes it over, exactly once.
      let error = unsafe pthread_create(
        &thread,
        nil,
        { context in
          if let context = unsafe context { unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run() }
          return nil
        },
        context
      )
      precondition(error == 0, "the host has a thread for each test that runs (ulimit -u)")
      pthread_detach(thread)
    }
  }
#endif
